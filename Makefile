# planefs: build, test, install. `make help` lists the targets.
#
# Everything built lies under $(BUILD). Flags of libraries are asked for when they are first used, not when this file is
# read, so that `make deps` may install them before.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
TIME ?= 60
CC ?= cc
CLANG ?= clang
PKG_CONFIG ?= pkg-config
PYTHON ?= /usr/bin/python3
OPT ?= -O2 -g

bindir     := $(PREFIX)/bin
libexecdir := $(PREFIX)/libexec/planefs
mandir     := $(PREFIX)/share/man
docdir     := $(PREFIX)/share/doc/planefs

WARN := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
# Results must not depend on the machine: no contraction to fused multiply-add, no fast-math.
CFLAGS_ALL = -std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -ffp-contract=off -fno-math-errno -pthread \
             -Iinclude -Isrc $(WARN) $(OPT) $(SAN) $(CFLAGS)
LDFLAGS_ALL = -pthread $(SAN) $(LDFLAGS)

# $(call lazily,NAME,COMMAND): NAME expands to the command's output; the command runs once, at first use.
lazily = $(1) = $$(eval $(1) := $$$$(shell $(2)))$$($(1))
$(eval $(call lazily,FUSE_CFLAGS,$(PKG_CONFIG) --cflags fuse3))
$(eval $(call lazily,FUSE_LIBS,$(PKG_CONFIG) --libs fuse3))
$(eval $(call lazily,INIH_LIBS,$(PKG_CONFIG) --libs inih))
$(eval $(call lazily,HDF5_CFLAGS,$(PKG_CONFIG) --cflags hdf5))
$(eval $(call lazily,HDF5_LIBS,$(PKG_CONFIG) --libs hdf5))
$(eval $(call lazily,TIFF_LIBS,$(PKG_CONFIG) --libs libtiff-4))
WORKER_LIBS = $(TIFF_LIBS) $(HDF5_LIBS) -llapacke -lopenblas -lexpat -lm

# The wall: the daemon links the floors named here and libfuse3; the image libraries belong to the worker.
sources    = $(wildcard $(foreach d,$(1),src/$d/*.c))
obj        = $(patsubst %.c,$(BUILD)/%.o,$(1))
base_src   := $(call sources,base)
wire_src   := $(call sources,wire)
core_src   := $(call sources,base kernels io ops stack)
worker_src := $(call sources,worker)
daemon_src := $(call sources,cache pool catalog engine files fs cli)

## all: the daemon and its worker (the default)
all:
	@.ci/deps check build
	@$(MAKE) --no-print-directory $(BUILD)/planefs $(BUILD)/planefs-worker

$(BUILD)/planefs: $(call obj,$(base_src) $(wire_src) $(daemon_src))
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(FUSE_LIBS) $(INIH_LIBS) -lm

$(BUILD)/planefs-worker: $(call obj,$(worker_src) $(wire_src)) $(BUILD)/libplanefs.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORKER_LIBS) -lseccomp

$(BUILD)/libplanefs.a: $(call obj,$(core_src))
$(BUILD)/libdaemon.a: $(call obj,$(wire_src) $(filter-out src/fs/% src/cli/%,$(daemon_src)))
$(BUILD)/%.a:
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/src/fs/%.o: CFLAGS_ALL += $(FUSE_CFLAGS)
$(BUILD)/src/io/%.o $(BUILD)/tests/unit/hdf%.o: CFLAGS_ALL += $(HDF5_CFLAGS)
$(BUILD)/src/kernels/%.o $(BUILD)/src/ops/%.o: OPT := $(patsubst -O2,-O3,$(OPT))
$(BUILD)/src/cli/%.o: CFLAGS_ALL += -DPLANEFS_LIBEXEC='"$(libexecdir)"'
$(patsubst %.c,$(BUILD)/%.o,$(wildcard src/cli/*.c)): $(BUILD)/prefix

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# A change of compiler or flags rebuilds; of the prefix, the commands alone.
$(BUILD)/flags: now := $(CC) $(CFLAGS_ALL)
$(BUILD)/prefix: now := $(libexecdir)
ifneq ($(strip $(CC) $(CFLAGS_ALL)),$(strip $(file <$(BUILD)/flags)))
.PHONY: $(BUILD)/flags
endif
ifneq ($(libexecdir),$(strip $(file <$(BUILD)/prefix)))
.PHONY: $(BUILD)/prefix
endif
$(BUILD)/flags $(BUILD)/prefix:
	@$(shell mkdir -p $(@D))$(file >$@,$(now))

# Unit tests: tests/{unit,kernels,golden}/NAME.c is one cmocka program each; it links the whole core and daemon.
unit_bin := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*.c tests/kernels/*.c tests/golden/*.c))
$(unit_bin): %: %.o $(BUILD)/libdaemon.a $(BUILD)/libplanefs.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORKER_LIBS) $(INIH_LIBS) -lcmocka

# Fuzz targets: tests/fuzz/NAME.c has LLVMFuzzerTestOneInput; its corpus is tests/fuzz/corpus/NAME/. The replay programs
# have a plain main that reads files instead, so that every test run replays the corpora.
fuzz_src   := $(wildcard tests/fuzz/*.c)
replay_bin := $(patsubst %.c,$(BUILD)/%-replay,$(fuzz_src))
fuzz_bin   := $(patsubst %.c,$(BUILD)/%-fuzz,$(fuzz_src))
$(replay_bin): %-replay: %.o $(BUILD)/tests/fuzz/replay/main.o $(BUILD)/libdaemon.a $(BUILD)/libplanefs.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORKER_LIBS) $(INIH_LIBS)
$(fuzz_bin): %-fuzz: %.o $(BUILD)/libdaemon.a $(BUILD)/libplanefs.a
	$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $(WORKER_LIBS) $(INIH_LIBS)

## unit: build and run the unit tests alone
unit: $(unit_bin)
	@for t in $(unit_bin); do echo "== $$t"; $(RUN) $$t || exit 1; done

# Times the stages of the correction without files and processes.
$(BUILD)/tests/bench/stages: %: %.o $(BUILD)/libplanefs.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORKER_LIBS)

tests: $(unit_bin) $(replay_bin)

# One runner, one summary: the checks, the unit programs and the mounts are all cases of one pytest run.
PYTEST = PYTHONDONTWRITEBYTECODE=1 BUILD=$(abspath $(BUILD)) PLANEFS_BUILD=$(abspath $(BUILD)) \
         $(PYTHON) -m pytest -p no:cacheprovider -q -ra

## test: build, then every check and test, with one summary (installs what is missing first)
test:
	@.ci/deps install build test
	@$(MAKE) --no-print-directory run-tests

run-tests: $(BUILD)/planefs $(BUILD)/planefs-worker tests
	$(PYTEST) tests $(ARGS)

## check: quick static checks: floors and wall, layout, tables, linkage
check:
	@.ci/deps install build
	@$(MAKE) --no-print-directory $(BUILD)/planefs
	@BUILD=$(abspath $(BUILD)) $(PYTHON) -B tests/checks/run.py

lint_src = $(wildcard src/*/*.c tests/unit/*.c tests/kernels/*.c tests/golden/*.c tests/fuzz/*.c tests/fuzz/replay/*.c)
lint_flags = $(filter-out -O%,$(CFLAGS_ALL)) -Werror $(FUSE_CFLAGS) $(HDF5_CFLAGS) -DPLANEFS_LIBEXEC='""' -fsyntax-only

tidy_checks = -*,bugprone-suspicious-*,-bugprone-suspicious-string-compare,bugprone-integer-division,$(strip \
              )bugprone-posix-return,bugprone-swapped-arguments,bugprone-assert-side-effect

## lint: warnings of gcc and clang as errors, clang-tidy where there is one, and the quick checks
lint: check
	@bad=0; for cc in gcc $(CLANG); do command -v $$cc >/dev/null || continue; \
	    for f in $(lint_src); do $$cc $(lint_flags) $$f || bad=1; done; done; exit $$bad
	@if command -v clang-tidy >/dev/null; then \
	    clang-tidy --quiet --warnings-as-errors='*' --checks='$(tidy_checks)' src/*/*.c -- $(lint_flags) 2>/dev/null; fi
	@echo lint: clean

asan_flags = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
san_env = ASAN_OPTIONS=log_path=$(abspath build/asan)/san.log:detect_leaks=1 \
          UBSAN_OPTIONS=log_path=$(abspath build/asan)/san.log:print_stacktrace=1 LSAN_OPTIONS=print_suppressions=0

## asan: daemon, worker and tests with address and undefined-behaviour sanitizers
asan:
	@.ci/deps install build test
	@rm -f build/asan/san.log*
	$(san_env) $(MAKE) --no-print-directory BUILD=build/asan SAN="$(asan_flags)" run-tests
	@if ls build/asan/san.log* >/dev/null 2>&1; then cat build/asan/san.log*; exit 1; fi


## tsan: daemon and unit tests with the thread sanitizer
tsan:
	@.ci/deps install build test
	@$(MAKE) --no-print-directory BUILD=build/tsan SAN=-fsanitize=thread RUN="setarch $$(uname -m) -R" unit

## fuzz: every fuzz target for TIME seconds (default 60) under clang
fuzz:
	@.ci/deps install build fuzz
	@$(MAKE) --no-print-directory BUILD=build/fuzz CC=$(CLANG) \
	    SAN="-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined" run-fuzz

run-fuzz: $(fuzz_bin)
	@set -e; for f in $(fuzz_bin); do name=$$(basename $$f -fuzz); echo "== $$name, $(TIME) s"; \
	    mkdir -p $(BUILD)/corpus/$$name tests/fuzz/corpus/$$name; \
	    $$f -max_total_time=$(TIME) -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 \
	        -artifact_prefix=$(BUILD)/$$name- $(BUILD)/corpus/$$name tests/fuzz/corpus/$$name; done

## bench: measure, print ratios, write build/bench.json
bench:
	@.ci/deps install build test
	@$(MAKE) --no-print-directory all $(BUILD)/tests/bench/stages
	BUILD=$(abspath $(BUILD)) $(PYTHON) -B tests/bench/bench.py $(ARGS)

## demo: make a small data set, mount it and show what is there (leaves it mounted)
demo:
	@.ci/deps install build demo
	@$(MAKE) --no-print-directory all
	@BUILD=$(abspath $(BUILD)) $(PYTHON) -B data/demo.py

## deps: install what is missing, through apt
deps:
	@.ci/deps install build test demo

## install: into DESTDIR and PREFIX (default /usr/local)
install: all
	install -Dm755 $(BUILD)/planefs $(DESTDIR)$(bindir)/planefs
	install -Dm755 $(BUILD)/planefs-worker $(DESTDIR)$(libexecdir)/planefs-worker
	install -Dm644 docs/planefs.1 $(DESTDIR)$(mandir)/man1/planefs.1
	install -Dm644 docs/planefs.ini.5 $(DESTDIR)$(mandir)/man5/planefs.ini.5
	install -d $(DESTDIR)$(docdir)
	install -m644 LICENSE README.md $(wildcard docs/*.md docs/*.png) $(DESTDIR)$(docdir)

## uninstall: remove what install put there
uninstall:
	rm -f $(DESTDIR)$(bindir)/planefs $(DESTDIR)$(mandir)/man1/planefs.1 $(DESTDIR)$(mandir)/man5/planefs.ini.5
	rm -rf $(DESTDIR)$(libexecdir) $(DESTDIR)$(docdir)

## clean: remove everything built (and unmount the demo)
clean:
	@if grep -qs " $(abspath build)/demo/mnt fuse" /proc/mounts; then fusermount3 -u build/demo/mnt; fi
	rm -rf $(BUILD)

## help: this list
help:
	@sed -n 's/^## \([a-z]*\): /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

.PHONY: all unit tests test check lint asan run-tests tsan fuzz run-fuzz bench demo deps install uninstall clean help
.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
