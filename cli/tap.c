/* SPDX-License-Identifier: Apache-2.0 */
/* The guest on a TAP device: see tap.h. */
#include "cli/tap.h"

#include "host/cleanup.h"
#include "host/ip.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define TUN "/dev/net/tun"
#define V4_AT 12u /* in the mapped form (host/ip.h) */
#define PREFIX6 64u /* the guest's kernel knows no other */
#define OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)

static int bad(struct df_err *err, const char *word, const char *why)
{
	return df_err_set(err, -EINVAL,
		"--net=tap: %.100s: %s; it is tap:NAME[,address=ADDRESS/BITS][,gateway=ADDRESS][,dns=ADDRESS]",
		word, why);
}

/* --- reading --- */

static bool is_zero(const uint8_t *bytes, size_t count)
{
	static const uint8_t none[16];

	return memcmp(bytes, none, count) == 0;
}

static int set_address(struct tap_options *tap, char *value, struct df_err *err)
{
	struct df_net_config *config = &tap->config;
	char *slash = strchr(value, '/'), *end;
	struct in6_addr address;
	unsigned long bits;
	bool v4;

	if (!slash)
		return bad(err, value, "there is no /BITS behind the address");
	*slash = 0;
	errno = 0;
	bits = strtoul(slash + 1, &end, 10);
	if (errno || end == slash + 1 || *end || !df_ip_parse(value, &address))
		return bad(err, value, "not an address with /BITS behind it");
	v4 = IN6_IS_ADDR_V4MAPPED(&address);
	if (v4 ? bits < 1 || bits > 32 : bits != PREFIX6)
		return bad(err, value,
			v4 ? "a network has 1 to 32 bits" : "a network of IPv6 must have 64 bits");
	if (!is_zero(v4 ? config->address : config->address6, v4 ? 4 : 16))
		return bad(err, value, "there are two addresses of one family");
	if (v4) {
		memcpy(config->address, &address.s6_addr[V4_AT], 4);
		config->prefix = (uint8_t)bits;
	} else {
		memcpy(config->address6, &address, 16);
		config->prefix6 = PREFIX6;
	}
	return 0;
}

static int set_gateway(struct tap_options *tap, char *value, struct df_err *err)
{
	struct in6_addr address;

	if (!df_ip_parse(value, &address))
		return bad(err, value, "not an address");
	if (IN6_IS_ADDR_V4MAPPED(&address))
		memcpy(tap->config.gateway, &address.s6_addr[V4_AT], 4);
	else
		memcpy(tap->config.gateway6, &address, 16);
	return 0;
}

static int set_dns(struct tap_options *tap, char *value, struct df_err *err)
{
	struct in6_addr address;

	if (!df_ip_parse(value, &address))
		return bad(err, value, "not an address");
	df_ip_text(&address, 0, tap->dns);
	return 0;
}

static int set_word(struct tap_options *tap, char *word, struct df_err *err)
{
	static const struct {
		const char *name;
		int (*set)(struct tap_options *tap, char *value, struct df_err *err);
	} keys[] = {{"address", set_address}, {"gateway", set_gateway}, {"dns", set_dns}};
	char *value = strchr(word, '=');

	if (!value)
		return bad(err, word, "not a setting");
	*value++ = 0;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(word, keys[i].name) == 0)
			return keys[i].set(tap, value, err);
	return bad(err, word, "not a setting");
}

static void put_v4(uint8_t *to, uint32_t address)
{
	const struct in6_addr mapped = df_ip_v4(address);

	memcpy(to, &mapped.s6_addr[V4_AT], 4);
}

/* Who gives no address has the ones that are known from --net without a device. */
static void add_usual(struct df_net_config *config)
{
	if (!is_zero(config->address, 4) || !is_zero(config->address6, 16))
		return;
	put_v4(config->address, DF_NET_GUEST);
	config->prefix = 24;
	if (is_zero(config->gateway, 4))
		put_v4(config->gateway, DF_NET_GATEWAY);
}

/* A gateway is a neighbour, or it could not be reached. */
static int check_gateways(const struct df_net_config *config, struct df_err *err)
{
	struct in6_addr guest = {0}, gateway = {0};

	memcpy(&guest.s6_addr[V4_AT], config->address, 4);
	memcpy(&gateway.s6_addr[V4_AT], config->gateway, 4);
	if (!is_zero(config->gateway, 4) && !df_ip_in(&guest, &gateway, 96u + config->prefix))
		return bad(err, "gateway", "it is not in the network of the guest's address");
	memcpy(&guest, config->address6, 16);
	memcpy(&gateway, config->gateway6, 16);
	if (!is_zero(config->gateway6, 16) && !IN6_IS_ADDR_LINKLOCAL(&gateway) &&
		(is_zero(config->address6, 16) || !df_ip_in(&guest, &gateway, PREFIX6)))
		return bad(err, "gateway", "it is not in the network of the guest's address");
	return 0;
}

/* A router mostly knows names. */
static void add_dns(struct tap_options *tap)
{
	struct in6_addr address = df_ip_v4(0);
	const struct df_net_config *config = &tap->config;

	if (!is_zero(config->gateway, 4))
		memcpy(&address.s6_addr[V4_AT], config->gateway, 4);
	else if (!is_zero(config->gateway6, 16))
		memcpy(&address, config->gateway6, 16);
	else
		return;
	df_ip_text(&address, 0, tap->dns);
}

int tap_parse(struct tap_options *tap, const char *text, struct df_err *err)
{
	char copy[512], *rest = copy, *word;
	int error = 0;

	*tap = (struct tap_options){.config = {.frames = 1}};
	if (strlen(text) >= sizeof(copy))
		return bad(err, text, "too long");
	strcpy(copy, text);
	word = strsep(&rest, ",");
	if (!*word || strlen(word) >= sizeof(tap->name) || strchr(word, '/'))
		return bad(err, word, "not a device's name");
	strcpy(tap->name, word);
	while (!error && (word = strsep(&rest, ",")))
		error = set_word(tap, word, err);
	if (error)
		return error;
	add_usual(&tap->config);
	if (!*tap->dns)
		add_dns(tap);
	return check_gateways(&tap->config, err);
}

/* --- opening --- */

static int no_device(const char *name, int error, struct df_err *err)
{
	switch (error) {
	case -ENODEV:
		return df_err_set(err, error,
			"there is no network device %s; the administrator makes one: ip tuntap add %s mode tap user %u"
			" && ip link set %s up",
			name, name, (unsigned int)geteuid(), name);
	case -EPERM:
	case -EACCES:
		return df_err_set(err, error,
			"%s belongs to another user; the administrator gives it to you:"
			" ip tuntap del %s mode tap && ip tuntap add %s mode tap user %u",
			name, name, name, (unsigned int)geteuid());
	case -EBUSY:
		return df_err_set(err, error,
			"%s is in use by another program, perhaps another guest; each needs a TAP device of its own",
			name);
	case -EINVAL:
		return df_err_set(err, error,
			"%s is not a TAP device; ip tuntap list shows which there are", name);
	case -ENETDOWN:
		return df_err_set(err, error,
			"%s is down; the administrator brings it up: ip link set %s up", name,
			name);
	default:
		return df_err_set(err, error, "%s cannot be opened: %s", name,
			df_errno_text(error));
	}
}

static int look_at(struct tap_options *tap)
{
	DF_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	strcpy(request.ifr_name, tap->name);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	if (!(request.ifr_flags & IFF_UP))
		return -ENETDOWN;
	if (ioctl(fd, SIOCGIFMTU, &request) < 0)
		return -errno;
	tap->config.mtu = (uint32_t)request.ifr_mtu;
	return 0;
}

static int attach(const struct tap_options *tap, int fd)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int head = sizeof(struct df_net_frame);

	strcpy(request.ifr_name, tap->name);
	return ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &head) < 0 ||
			ioctl(fd, TUNSETOFFLOAD, (unsigned long)OFFLOADS) < 0
		? -errno
		: 0;
}

/* One that nobody has, but for chance. */
static int make_mac(uint8_t *mac)
{
	if (getrandom(mac, 6, 0) != 6)
		return -EIO;
	mac[0] = (uint8_t)((mac[0] & ~1u) | 2u); /* of one machine, and given by ourselves */
	return 0;
}

int tap_open(struct tap_options *tap, int *fd, struct df_err *err)
{
	/* First, for the other call would make what it does not find. */
	int error = look_at(tap);
	DF_CLOSE int tun = -1;

	if (error)
		return no_device(tap->name, error, err);
	tun = open(TUN, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (tun < 0)
		return df_err_set(err, -errno,
			errno == EACCES ? TUN
				" cannot be opened: %s; the administrator lets you: chmod 666 " TUN
					: TUN
				" cannot be opened: %s; the administrator loads it: modprobe tun",
			df_errno_text(errno));
	error = attach(tap, tun);
	if (error == 0)
		error = make_mac(tap->config.mac);
	if (error)
		return no_device(tap->name, error, err);
	*fd = df_take_fd(&tun);
	return 0;
}
