// SPDX-License-Identifier: Apache-2.0
// sort: sorts the lines of the event's body; with the attribute `unique`, each line once. C++.
#include <dayfly.h>

#include <algorithm>
#include <iostream>
#include <string_view>
#include <vector>

static void answer(const df_event_view &event)
{
	std::string_view body(static_cast<const char *>(event.body), event.body_bytes);
	std::vector<std::string_view> lines; // views of the event's own memory

	while (!body.empty()) {
		size_t end = std::min(body.find('\n'), body.size());
		lines.push_back(body.substr(0, end));
		body.remove_prefix(std::min(end + 1, body.size()));
	}
	std::sort(lines.begin(), lines.end());
	if (df_attribute(&event, "unique"))
		lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
	for (std::string_view line : lines)
		std::cout << line << '\n';
	std::cout.flush();
	df_log("%zu lines", lines.size());
}

int main()
{
	df_event_view event;

	while (df_next_event(&event) > 0) {
		answer(event);
		if (df_reply(200, nullptr, nullptr, 0))
			return 1;
	}
}
