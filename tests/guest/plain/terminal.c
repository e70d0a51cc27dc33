/*
 * terminal.c - what a program sees of its terminal. Words as arguments, done in order:
 *   tty     is each standard stream a terminal, and its window size
 *   winch   waits for SIGWINCH and says the new size
 *   int     waits for SIGINT and says so
 *   raw     switches off line editing and echo, reads one byte, restores
 *   line    reads a line and says it
 */
#include "../case.h"

#include <sys/ioctl.h>
#include <termios.h>

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

static void say_size(void)
{
	struct winsize size = {0};
	int result = ioctl(0, TIOCGWINSZ, &size);
	say("size=%s", rc(result));
	say("%ux%u", size.ws_col, size.ws_row);
}

/* Prints `ready` once the signal can come, waits for it. */
static void await(int number, const char *ready)
{
	sigset_t block, old;
	sigemptyset(&block);
	sigaddset(&block, number);
	sigprocmask(SIG_BLOCK, &block, &old);
	struct sigaction action = {.sa_handler = on_signal};
	sigaction(number, &action, NULL);
	caught = 0;
	case_write(ready, strlen(ready));
	while (caught != number)
		sigsuspend(&old);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(int argc, char **argv)
{
	char line[20000];

	for (int i = 1; i < argc; i++) {
		case_used = 0;
		if (strcmp(argv[i], "tty") == 0) {
			say("%d%d%d", isatty(0), isatty(1), isatty(2));
			say_size();
			struct termios t;
			say("tcgetattr=%s", rc(tcgetattr(0, &t)));
			say("canonical=%d echo=%d", (t.c_lflag & ICANON) != 0,
				(t.c_lflag & ECHO) != 0);
			struct stat st;
			fstat(0, &st);
			say("character-device=%s", yes(S_ISCHR(st.st_mode)));
			say("open=%s", yes(open("/dev/tty", O_RDWR) >= 0));
		} else if (strcmp(argv[i], "winch") == 0) {
			await(SIGWINCH, "waiting for SIGWINCH\n");
			say_size();
		} else if (strcmp(argv[i], "int") == 0) {
			await(SIGINT, "waiting for SIGINT\n");
			say("caught SIGINT");
		} else if (strcmp(argv[i], "raw") == 0) {
			struct termios old, raw;
			char byte = '?';
			tcgetattr(0, &old);
			raw = old;
			raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
			say("set=%s", rc(tcsetattr(0, TCSANOW, &raw)));
			case_write("waiting for a byte\n", 19);
			say("read=%s", num(read(0, &byte, 1)));
			say("byte=%d", byte);
			say("restore=%s", rc(tcsetattr(0, TCSANOW, &old)));
		} else if (strcmp(argv[i], "line") == 0) {
			char text[256];
			case_write("waiting for a line\n", 19);
			say("%s", fgets(text, sizeof text, stdin) ? strtok(text, "\n") : "end");
		}
		case_write(line,
			(size_t)snprintf(line, sizeof line, "CASE terminal.%s %s\n", argv[i],
				case_text));
	}
	return 0;
}
