/*
 * cxx.cc - C++: exceptions across frames, destructors, iostream, threads, static initialisation, RTTI.
 * All of its output is compared.
 */
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <functional>
#include <future>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <typeinfo>
#include <unordered_map>
#include <vector>

namespace
{

struct early {
	int value;
	early() : value(41) { value++; }
	~early() { std::cout << "CASE cxx.static_destructor ran" << std::endl; }
};
early initialised;

struct base {
	virtual ~base() = default;
	virtual std::string name() const { return "base"; }
};
struct derived : base {
	std::string name() const override { return "derived"; }
};

struct counted {
	static int alive;
	counted() { alive++; }
	counted(const counted &) { alive++; }
	~counted() { alive--; }
};
int counted::alive = 0;

[[gnu::noinline]] int thrower(int depth)
{
	counted here;
	if (depth == 0)
		throw std::runtime_error("from below");
	return thrower(depth - 1) + 1;
}

void exceptions()
{
	std::string caught;
	int most = 0;
	try {
		most = thrower(50);
	} catch (const std::logic_error &) {
		caught = "wrong";
	} catch (const std::runtime_error &e) {
		caught = e.what();
	}
	std::cout << "CASE cxx.exception " << caught << " alive=" << counted::alive << " most=" << most << "\n";
	int total = 0;
	for (int i = 0; i < 1000; i++) {
		try {
			try {
				throw i;
			} catch (int value) {
				if (value % 2)
					throw;
				total += 1;
			}
		} catch (int value) {
			total += 1000;
		}
	}
	std::cout << "CASE cxx.rethrow " << total << "\n";
	try {
		std::vector<int>(3).at(7) = 1;
		std::cout << "CASE cxx.library none\n";
	} catch (const std::out_of_range &) {
		std::cout << "CASE cxx.library out_of_range\n";
	}
	try {
		std::unique_ptr<base> p = std::make_unique<base>();
		(void)dynamic_cast<derived &>(*p);
		std::cout << "CASE cxx.bad_cast none\n";
	} catch (const std::bad_cast &e) {
		std::cout << "CASE cxx.bad_cast caught\n";
	}
	try {
		volatile size_t huge = SIZE_MAX / 4;
		std::vector<char> v;
		v.reserve(huge);
		std::cout << "CASE cxx.bad_alloc none\n";
	} catch (const std::exception &) {
		std::cout << "CASE cxx.bad_alloc caught\n";
	}
}

void streams()
{
	std::cout << "CASE cxx.format " << std::hex << 255 << std::dec << ' ' << std::setw(6) << std::setfill('*') << 42
		  << ' ' << std::fixed << std::setprecision(3) << 3.14159265 << ' ' << std::boolalpha << true << "\n";
	std::istringstream in("12 abc 3.5 end");
	int number;
	std::string word;
	double real;
	in >> number >> word >> real;
	std::cout << "CASE cxx.parse " << number << ' ' << word << ' ' << real << "\n";
	{
		std::ofstream out("cxx-file");
		for (int i = 0; i < 1000; i++)
			out << i << '\n';
	}
	std::ifstream back("cxx-file");
	long sum = 0, value, count = 0;
	while (back >> value) {
		sum += value;
		count++;
	}
	std::cout << "CASE cxx.file " << count << ' ' << sum << "\n";
	std::ifstream missing("no-such-file");
	std::cout << "CASE cxx.missing " << (missing ? "open" : "refused") << "\n";
}

void containers()
{
	std::map<std::string, int> ordered;
	std::unordered_map<int, std::string> hashed;
	for (int i = 0; i < 5000; i++) {
		ordered[std::to_string(i * 7919 % 5000)] = i;
		hashed[i] = std::to_string(i);
	}
	long sum = 0;
	for (auto &[key, value] : ordered)
		sum = (sum * 31 + value) % 1000000007;
	std::cout << "CASE cxx.containers " << ordered.size() << ' ' << hashed.size() << ' ' << sum << "\n";
}

void threads()
{
	std::mutex mutex;
	std::condition_variable changed;
	std::vector<std::thread> all;
	int turn = 0;
	std::string order;
	for (int i = 0; i < 8; i++)
		all.emplace_back([&, i] {
			std::unique_lock<std::mutex> hold(mutex);
			changed.wait(hold, [&] { return turn == i; });
			order += static_cast<char>('a' + i);
			turn++;
			changed.notify_all();
		});
	for (auto &t : all)
		t.join();
	std::cout << "CASE cxx.threads " << order << "\n";
	auto future = std::async(std::launch::async, [] {
		if (counted::alive == 0)
			throw std::invalid_argument("across");
		return 1;
	});
	std::string outcome = "none";
	try {
		outcome = std::to_string(future.get());
	} catch (const std::invalid_argument &e) {
		outcome = e.what();
	}
	std::cout << "CASE cxx.future " << outcome << "\n";
	std::promise<int> promise;
	auto waiting = promise.get_future();
	auto state = waiting.wait_for(std::chrono::milliseconds(5));
	std::cout << "CASE cxx.wait_for " << (state == std::future_status::timeout ? "timeout" : "ready") << "\n";
	thread_local int local = 3;
	std::thread other([] { local = 9; });
	other.join();
	std::cout << "CASE cxx.thread_local " << local << "\n";
}

} // namespace

int main()
{
	std::cout << "CASE cxx.static_constructor " << initialised.value << "\n";
	std::unique_ptr<base> p = std::make_unique<derived>();
	std::cout << "CASE cxx.virtual " << p->name() << ' ' << (typeid(*p) == typeid(derived)) << "\n";
	exceptions();
	streams();
	containers();
	threads();
	std::cerr << "to standard error\n";
	return 3;
}
