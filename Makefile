# planefs: build, test, install. `make help` lists the targets.
BUILD ?= build
CC ?= cc
PKG_CONFIG ?= pkg-config
OPT ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
CFLAGS_ALL := -std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -ffp-contract=off -fno-math-errno -pthread \
              $(WARN) $(OPT) $(SAN) $(CFLAGS) -Iinclude -Isrc
LDFLAGS_ALL := -pthread $(SAN) $(LDFLAGS)

# libxxhash is used as a header only; the rest is linked where the wall allows it.
FUSE_CFLAGS  := $(shell $(PKG_CONFIG) --cflags fuse3 2>/dev/null)
FUSE_LIBS    := $(shell $(PKG_CONFIG) --libs fuse3 2>/dev/null)
HDF5_CFLAGS  := $(shell $(PKG_CONFIG) --cflags hdf5 2>/dev/null)
HDF5_LIBS    := $(shell $(PKG_CONFIG) --libs hdf5 2>/dev/null)
TIFF_LIBS    := $(shell $(PKG_CONFIG) --libs libtiff-4 2>/dev/null)
WORKER_LIBS  := $(TIFF_LIBS) $(HDF5_LIBS) -llapacke -lopenblas -lexpat -lm

core_src   := $(wildcard $(foreach d,base kernels io ops stack,src/$d/*.c))
worker_src := $(wildcard src/worker/*.c)
wire_src   := $(wildcard src/wire/*.c)
daemon_src := $(wildcard $(foreach d,cache pool catalog engine files fs cli,src/$d/*.c))
base_src   := $(wildcard src/base/*.c)
obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

all: $(BUILD)/planefs $(BUILD)/planefs-worker

$(BUILD)/libplanefs.a: $(call obj,$(core_src))
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/planefs: $(call obj,$(base_src) $(wire_src) $(daemon_src))
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(FUSE_LIBS) -lm

$(BUILD)/planefs-worker: $(call obj,$(worker_src) $(wire_src)) $(BUILD)/libplanefs.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORKER_LIBS)

$(BUILD)/src/fs/%.o: CFLAGS_ALL += $(FUSE_CFLAGS)
$(BUILD)/src/io/%.o: CFLAGS_ALL += $(HDF5_CFLAGS)
$(BUILD)/src/kernels/%.o: OPT := -O3 -g

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# Unit tests: tests/unit/NAME.c and tests/kernels/NAME.c are cmocka programs. Each links the whole core and daemon.
unit_src := $(wildcard tests/unit/*.c tests/kernels/*.c)
unit_bin := $(patsubst %.c,$(BUILD)/%,$(unit_src))
daemon_lib := $(call obj,$(wire_src) $(filter-out src/fs/% src/cli/%,$(daemon_src)))
$(BUILD)/libdaemon.a: $(daemon_lib)
	@rm -f $@
	ar rcs $@ $^
$(unit_bin): %: %.o $(BUILD)/libdaemon.a $(BUILD)/libplanefs.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(WORKER_LIBS) -lcmocka

unit: $(unit_bin)
	@for t in $(unit_bin); do echo "== $$t"; $$t || exit 1; done

clean:
	rm -rf $(BUILD)

.PHONY: all unit clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
