# SPDX-License-Identifier: Apache-2.0
#
# A thin face over Meson and ninja. `make help` lists the targets.
#
#   make check CC=clang                 another compiler, in a build folder of its own (build-clang)
#   make build BUILD=build-asan MESON_FLAGS=-Db_sanitize=address,undefined

ifeq ($(origin CC),command line)
BUILD ?= build-$(notdir $(firstword $(CC)))
endif
BUILD ?= build
MESON_FLAGS ?=
export BUILD

comma := ,

# A compiler named on the command line or in the environment goes to Meson; make's own default does not.
ifneq ($(filter command line environment,$(origin CC)),)
export CC
endif

ifeq ($(CI),true)
MESON_FLAGS += --werror
endif

PREFIX ?= /usr/local
DESTDIR ?=
export PREFIX DESTDIR

.PHONY: build
build: $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

# A room that gains a meson.build is noticed here; ninja itself notices changes to those it knows.
$(BUILD)/build.ninja: meson.build $(wildcard */meson.build) | deps-build
	@if [ -f $@ ]; then meson setup --reconfigure $(BUILD) $(MESON_FLAGS) >$(BUILD)/setup.log; \
	else mkdir -p $(BUILD) && meson setup $(BUILD) $(MESON_FLAGS) >$(BUILD)/setup.log; fi \
	|| { cat $(BUILD)/setup.log >&2; exit 1; }
	@touch $@

.PHONY: deps-build deps-demo deps-package deps-test deps-bench deps-lint
deps-build deps-demo deps-package deps-test deps-bench deps-lint: deps-%:
	@scripts/deps $*

# As root where the prefix needs it: build first as yourself, then `sudo make install`.
.PHONY: install
install: build
	@scripts/install

.PHONY: uninstall
uninstall:
	@scripts/install --uninstall

.PHONY: deb
deb: deps-package build
	@scripts/deb

.PHONY: demo
demo: export PHOTO := $(PHOTO)
demo: deps-demo build
	@scripts/demo "$$PHOTO"

.PHONY: run
run: deps-demo build
	@scripts/demo run

.PHONY: check
check: deps-test deps-lint build
	@scripts/check

.PHONY: check-svm
check-svm: deps-test build
	@tests/svm/run

.PHONY: bench
bench: deps-test deps-bench build
	@bench/run

.PHONY: fuzz
fuzz: deps-test
	@scripts/fuzz

.PHONY: soak
soak: deps-test build
	@tests/hostile/soak
	@$(BUILD)/tests/queue/queue-kill 1000
	@S3_KILLS=30 timeout 900 tests/e2e/s3-events killed

.PHONY: soak-platform
soak-platform: deps-test build
	@tests/e2e/soak

# The daemon under sanitizers: all of its suites and unit tests against a build of its own.
.PHONY: check-tsan check-asan
check-tsan check-asan: check-%: deps-test
	@$(MAKE) --no-print-directory build BUILD=build-$* MESON_FLAGS=-Db_sanitize=$(if $(filter tsan,$*),thread,address$(comma)undefined)
	@BUILD=build-$* scripts/check-sanitized

.PHONY: lint
lint: deps-lint build
	@scripts/lint

.PHONY: fmt
fmt: deps-lint
	@scripts/fmt

.PHONY: clean
clean:
	rm -rf $(BUILD)

.PHONY: help
help:
	@echo 'build      what runs: dayfly, dayfly-monitor, dayfly-kernel in $(BUILD)/bin (the default)'
	@echo 'install    puts it below PREFIX (/usr/local), with DESTDIR before it; uninstall takes it away'
	@echo 'deb        makes a Debian package of it in $(BUILD)'
	@echo 'demo       shows the main job: photos in, thumbnails out (PHOTO=cat.jpg takes yours)'
	@echo 'run        the same functions on the usual ports, in the foreground, until Ctrl-C'
	@echo 'check      every test; the last line counts them'
	@echo 'check-svm  the guest tests on AMD-V, emulated (part of check)'
	@echo 'bench      measures, prints a table, writes $(BUILD)/bench.json'
	@echo 'fuzz       every fuzz target for a short while (FUZZ_SECONDS=30 each)'
	@echo 'soak       10,000 events for each way to leave something for the next one (SOAK_EVENTS=10000), 1,000 kills of the queue, 30 of the object store'
	@echo 'check-tsan the daemon under ThreadSanitizer; check-asan: under AddressSanitizer and UBSan'
	@echo 'soak-platform  200,000 events over 20 functions while they are redeployed and monitors killed (SOAK_EVENTS, SOAK_KILLS)'
	@echo 'lint       format, clang-tidy and cppcheck'
	@echo 'fmt        formats the C files in place'
	@echo 'clean      removes $(BUILD)'
