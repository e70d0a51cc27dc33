// SPDX-License-Identifier: Apache-2.0
/* A C++ program that dies in a template's member, or of an exception that nobody catches: `crash-cxx HOW`. */
#include <cstring>
#include <stdexcept>
#include <vector>

namespace app
{
template <class T> struct box {
	T value;
	__attribute__((noinline)) int get(const std::vector<T> &v, const char *how)
	{
		if (!std::strcmp(how, "throw"))
			throw std::runtime_error("nobody catches this");
		return v[1 << 30] + value;
	}
};
} // namespace app

int main(int argc, char **argv)
{
	app::box<int> box{argc};

	return box.get({}, argc > 1 ? argv[1] : "");
}
