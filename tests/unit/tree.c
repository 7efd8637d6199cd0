/* The tree of names on a catalog and an engine of the test's own: what is found is what is listed, under the same node
 * and the same inode number; nothing outlives being forgotten. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tree_stand_in.h"

/* ---- the fixture ---- */

static struct pfs_tree tree;
static struct pfs_node root;

static struct pfs_shape shape_of(int64_t t, int64_t z, int64_t c)
{
    return (struct pfs_shape){.t = t, .z = z, .c = c, .y = 48, .x = 64, .type = PFS_U16};
}

static int begin(void **state)
{
    struct pfs_err err;
    (void)state;
    cold = false;
    folder_refs = dataset_refs = view_refs = 0;
    em = (struct pfs_dataset){.path = "em", .name = "em", .shape = shape_of(1, 4, 1), .first = {0, 5600, 0},
                              .sections = true, .spread = true, .n_files = 3, .file = em_file, .mtime = 5000,
                              .serial = 1};
    em_later = em;
    em_later.serial = 3;
    em_later.shape.z = 3;
    em_later.n_files = 2;
    hyper = (struct pfs_dataset){.path = "hyper", .name = "hyper", .shape = shape_of(2, 3, 2), .n_files = 1,
                                 .mtime = 7000, .serial = 2};
    items[0] = (struct pfs_item){.name = "em", .kind = PFS_ITEM_DATASET, .dataset = &em, .mtime = 5000};
    items[1] = (struct pfs_item){.name = "hyper", .kind = PFS_ITEM_DATASET, .dataset = &hyper, .mtime = 7000};
    items[2] = (struct pfs_item){.name = "sub", .kind = PFS_ITEM_FOLDER, .path = "sub", .mtime = 9000};
    sub_items[0] = items[0];
    top = (struct pfs_folder){.path = "", .n_items = 3, .item = items, .mtime = 9000};
    sub = (struct pfs_folder){.path = "sub", .n_items = 1, .item = sub_items, .mtime = 9000};
    int r = pfs_tree_open(NULL, 1000, 100, 027, &tree, &err);
    root = pfs_node_of(&tree, 1);
    return r || !root.place;
}

static int end(void **state)
{
    (void)state;
    pfs_node_drop(&tree, root);
    bool only_root = tree.places->count == 1 && tree.places->n_made == 0;
    pfs_tree_close(&tree);
    return !only_root || folder_refs || dataset_refs || view_refs;
}

/* Walk a path; the node is the caller's. */
static int walk_to(const char *path, struct pfs_node *ret, struct pfs_err *err)
{
    char copy[512], *save = NULL;
    struct pfs_node node = pfs_node_copy(&tree, root);
    snprintf(copy, sizeof copy, "%s", path);
    for (char *part = strtok_r(copy, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        struct pfs_node next;
        int r = pfs_tree_lookup(&tree, node, part, !cold, &next, err);
        pfs_node_drop(&tree, node);
        if (r)
            return r;
        node = next;
    }
    *ret = node;
    return 0;
}

static struct pfs_node must_find(const char *path)
{
    struct pfs_node node = {0};
    struct pfs_err err = {0};
    if (walk_to(path, &node, &err))
        fail_msg("%s: %s", path, err.text);
    return node;
}

static void is_absent(const char *path, int code, const char *hint)
{
    struct pfs_node node;
    struct pfs_err err = {0};
    struct stat st;
    int r = walk_to(path, &node, &err);
    if (!r) {
        r = pfs_tree_stat(&tree, node, true, &st, &err);
        pfs_node_drop(&tree, node);
    }
    if (r != -code || !strstr(err.text, hint))
        fail_msg("%s: %d %s", path, r, err.text);
}

static struct stat stat_of(const char *path)
{
    struct stat st;
    struct pfs_err err = {0};
    struct pfs_node node = must_find(path);
    if (pfs_tree_stat(&tree, node, true, &st, &err))
        fail_msg("%s: %s", path, err.text);
    pfs_node_drop(&tree, node);
    return st;
}

/* All names of a folder, joined, from a cookie on. */
static void list_from(const char *path, int64_t cookie, char *text, size_t size)
{
    struct pfs_err err = {0};
    struct pfs_node node = must_find(path);
    struct pfs_folder *items_of = NULL;
    if (node.place->kind == PFS_PLACE_FOLDER)
        assert_int_equal(pfs_catalog_folder(NULL, node.place->path, true, &items_of, &err), 0);
    struct pfs_walk walk = {.tree = &tree, .folder = node, .items = items_of, .wait = true};
    struct pfs_listed listed;
    int r;
    *text = 0;
    while ((r = pfs_walk_next(&walk, &cookie, &listed, &err)) == 1) {
        char full[512];
        snprintf(full, sizeof full, "%s/%s", path, listed.name);
        struct pfs_node found = must_find(full);
        assert_int_equal(pfs_node_id(found), pfs_node_id(listed.node));
        assert_int_equal(stat_of(full).st_ino, listed.st.st_ino);
        pfs_node_drop(&tree, found);
        pfs_node_drop(&tree, listed.node);
        strncat(text, *text ? " " : "", size - strlen(text) - 1);
        strncat(text, listed.name, size - strlen(text) - 1);
    }
    assert_int_equal(r, 0);
    if (items_of)
        pfs_folder_unref(items_of);
    pfs_node_drop(&tree, node);
}

static void lists(const char *path, const char *names)
{
    char text[2048];
    list_from(path, 0, text, sizeof text);
    assert_string_equal(text, names);
}

/* ---- the tests ---- */

static void folders(void **state)
{
    (void)state;
    lists("", ".planefs em hyper sub");
    lists("sub", "em");
    lists(".planefs", "README.txt status.json errors.json jobs.json");
    is_absent("nothing", ENOENT, "no such file in SOURCE");
    is_absent("bad.tif", ENOENT, "tiff: no directory");
    is_absent("em/stats.json/x", ENOTDIR, "");
    pfs_node_drop(&tree, must_find("hyper.ome.tif/stats.json"));
}

static void a_section_stack(void **state)
{
    (void)state;
    lists("em", "slice segment volume stats.json source corrected");
    lists("em/slice", "z5600 z5601 z5603");
    lists("em/slice/z5601", "c0.tif");
    lists("em/corrected", "05600.tif 05601.tif 05603.tif");
    lists("em/segment", "otsu kmeans2");
    lists("em/volume", "source.ome.tif corrected.ome.tif otsu.ome.tif slice.ome.tif "
                       "source.tif corrected.tif otsu.tif slice.tif");
    lists("em/spectrum", "");
    is_absent("em/slice/z5602", ENOENT, "missing");
    is_absent("em/slice/z5604", ENOENT, "z goes from 5600 to 5603");
    is_absent("em/slice/z0", ENOENT, "z goes from");
    is_absent("em/slice/z05600", ENOENT, "");
    is_absent("em/slice/z5600/c1.tif", ENOENT, "c goes from 0 to 0");
    is_absent("em/source/05602.tif", ENOENT, "no plane is named 05602");
    is_absent("em/pca", ENOENT, "no such file");
    is_absent("em/pca/1.tif", ENOENT, "");
}

static void a_hyperstack(void **state)
{
    (void)state;
    lists("hyper", "slice segment volume stats.json pca source");
    lists("hyper/slice", "t0 t1");
    lists("hyper/slice/t1", "z0 z1 z2");
    lists("hyper/slice/t1/z2", "c0.tif c1.tif");
    lists("hyper/pca", "1.tif 2.tif 3.tif");
    assert_int_equal(stat_of("hyper/slice/t1/z2/c1.tif").st_size, 1121);
    assert_int_equal(stat_of("hyper/corrected/t0001_z0002_c0001.tif").st_size, 1121);
    is_absent("hyper/slice/z0", ENOENT, "2 time points");
    is_absent("hyper/pca/4.tif", ENOENT, "three");
    pfs_node_drop(&tree, must_find("em/slice/t0/z5600/c0.tif"));
}

static void views_stand_where_they_belong(void **state)
{
    (void)state;
    is_absent("em/otsu", ENOENT, "does not stand here");
    is_absent("em/segment/corrected", ENOENT, "does not stand here");
    is_absent("em/corected", ENOENT, "did you mean corrected");
    is_absent("em/stats", ENOENT, "operator");
    is_absent("em/.git", ENOENT, "nothing here");
    pfs_node_drop(&tree, must_find("em/segment/kmeans5/05600.tif"));
    pfs_node_drop(&tree, must_find("em/raise/05600.tif"));
    assert_int_equal(stat_of("em/volume/em-corrected.tif").st_size, 1000);
    assert_string_equal(last_view, "corrected");
    assert_int_not_equal(stat_of("em/volume/em-corrected.tif").st_ino, stat_of("em/volume/corrected.tif").st_ino);
    assert_string_equal((stat_of("em/slice/z5600/c0.tif"), last_view), "source");
}

static void parameters_reach_the_engine(void **state)
{
    static const struct { const char *path, *view; } cases[] = {
        {"em/corrected@by=3/05600.tif", "corrected@by=3"},
        {"em/stats@of=corrected.json", "corrected"},
        {"em/stats@of=corrected,roi=1:2:3:4.json", "corrected@roi=1:2:3:4"},
        {"em/slice@roi=1:2:3:4/z5600/c0.tif", "source@roi=1:2:3:4"},
        {"hyper/pca@by=1/3.tif", "raise@by=1"},
        {"hyper/pca@of=corrected,by=1/3.tif", "raise@of=corrected,by=1"},
        {"em/volume/corrected@clip=-0.8:0.8.ome.tif", "corrected@clip=-0.8:0.8"},
        {"em/volume/em-corrected@by=1.tif", "corrected@by=1"},
        {"em/segment/otsu@of=corrected/05600.tif", "otsu@of=corrected"},
        {"em/volume@roi=1:2:3:4/corrected@by=1.tif", "corrected@by=1,roi=1:2:3:4"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        stat_of(cases[i].path);
        if (strcmp(last_view, cases[i].view))
            fail_msg("%s: %s", cases[i].path, last_view);
    }
    is_absent("em/corrected@wrong=1", ENOENT, "did you mean");
    is_absent("em/slice@wrong=1", ENOENT, "did you mean");
    is_absent("em/stats@wrong=1.json", ENOENT, "did you mean");
    is_absent("em/corrected@wrong=1/05600.tif", ENOENT, "did you mean");
}

static void chunks_count_from_zero(void **state)
{
    struct pfs_vars vars;
    (void)state;
    struct pfs_node node = must_find("em/volume/source.ome.zarr/2/0/0/3/0/0");
    pfs_node_vars(node, &vars);
    assert_int_equal(vars.v[PFS_VAR_Z], 3);
    assert_int_equal(vars.v[PFS_VAR_N], 2);
    pfs_node_drop(&tree, node);
    pfs_node_drop(&tree, must_find("em/volume/source.ome.zarr/0/0/0/2/0/0"));   /* a missing section has chunks */
    is_absent("em/volume/source.ome.zarr/0/0/0/5600/0/0", ENOENT, "z goes from 0 to 3");
}

static void a_pixel_of_a_huge_stack_has_a_node(void **state)
{
    struct pfs_vars vars;
    char name[PFS_NAME_MAX];
    (void)state;
    em.shape.z = 11260;
    em.shape.y = 9000;
    em.shape.x = 13750;
    em.sections = em.spread = false;
    struct pfs_node node = must_find("em/spectrum/z16859/y8999/x13749.csv");
    pfs_node_vars(node, &vars);
    assert_int_equal(vars.v[PFS_VAR_Z], 11259);
    assert_int_equal(vars.v[PFS_VAR_Y], 8999);
    assert_int_equal(vars.v[PFS_VAR_X], 13749);
    assert_true(node.index > UINT64_C(1) << 40);
    assert_true(pfs_node_name(node, name) > 0);
    assert_string_equal(name, "x13749.csv");
    pfs_node_drop(&tree, node);
    em.shape.x = em.shape.y = 1 << 20;
    is_absent("em/spectrum/z16859/y1048575/x1048575.csv", EFBIG, "");
}

static void times_are_of_what_takes_part(void **state)
{
    (void)state;
    assert_int_equal(stat_of("em/source/05601.tif").st_mtim.tv_nsec, 4901);
    assert_int_equal(stat_of("em/corrected/05601.tif").st_mtim.tv_nsec, 4951);
    assert_int_equal(stat_of("em/stats.json").st_mtim.tv_nsec, 5000);
    assert_int_equal(stat_of("em/volume/source.tif").st_mtim.tv_nsec, 5000);
    assert_int_equal(stat_of("em").st_mtim.tv_nsec, 5000);
    assert_int_equal(stat_of("sub").st_mtim.tv_nsec, 9000);
    struct stat st = stat_of("em/source/05601.tif");
    assert_int_equal(st.st_blocks, 2);
    assert_int_equal(st.st_mode, S_IFREG | 0440);
    assert_int_equal(st.st_uid, 1000);
    assert_int_equal(stat_of("em").st_mode, S_IFDIR | 0550);
}

static void offsets_are_stable(void **state)
{
    char all[2048], rest[2048];
    (void)state;
    list_from("hyper/source", 0, all, sizeof all);
    for (int64_t cookie = 0; cookie <= 12; cookie++) {
        list_from("hyper/source", cookie, rest, sizeof rest);
        size_t skip = (size_t)cookie * (strlen("t0001_z0002_c0001.tif") + 1);
        assert_string_equal(rest, skip < strlen(all) ? all + skip : "");
    }
}

static void reason_is(const char *path, const char *text)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct pfs_err err = {0};
    struct pfs_node node = must_find(path);
    assert_int_equal(pfs_words(&tree, node, true, &t, &err), 0);
    assert_string_equal(t.s, text);
    assert_int_equal(stat_of(path).st_size, strlen(text));
    pfs_node_drop(&tree, node);
}

static void reasons(void **state)
{
    (void)state;
    reason_is("em/corrected/05600.tif.error", "");
    reason_is("em/corrected/05601.tif.error", "EIO: strip 3\\x0a is short\n");
    reason_is("em/corrected.error", "");
    reason_is("em/slice/z5602.error", "ENOENT: this section is missing\n");
    reason_is("em/slice/z5603/c7.tif.error", "ENOENT: c goes from 0 to 0\n");
    reason_is("bad.tif.error", "ENOENT: tiff: no directory\n");
    reason_is("em.error", "");
    is_absent("em/corrected/05600.tif.error.error", ENOENT, "");
    is_absent("em/.error", ENOENT, "");
}

static void attribute_is(const char *path, const char *key, const char *value)
{
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct pfs_err err = {0};
    struct pfs_node node = must_find(path);
    assert_int_equal(pfs_words_attribute(&tree, node, key, true, &t, &err), 0);
    assert_string_equal(t.s, value);
    pfs_node_drop(&tree, node);
}

static void attributes(void **state)
{
    (void)state;
    attribute_is("em/corrected/05600.tif", "state", "running 40%");
    attribute_is("em/corrected/05601.tif", "state", "error");
    attribute_is("em/corrected/05601.tif", "error", "EIO: strip 3\\x0a is short");
    attribute_is("em/corrected/05603.tif", "state", "cold");
    attribute_is("em/corrected/05603.tif", "recipe", "step/1");
    attribute_is("em/source/05603.tif", "recipe", "source");
    attribute_is("em/source/05603.tif", "key", "0123");
    attribute_is("em/stats.json", "state", "cold");
    PFS_AUTO_TEXT struct pfs_text t = {0};
    assert_int_equal(pfs_words_attribute(&tree, root, "else", true, &t, NULL), -EOPNOTSUPP);
}

static void live_texts_never_shrink(void **state)
{
    (void)state;
    assert_int_equal(stat_of(".planefs/status.json").st_size, 4096);
    errors_length = 4096;
    assert_int_equal(stat_of(".planefs/errors.json").st_size, 8192);
    errors_length = 2;
    assert_int_equal(stat_of(".planefs/errors.json").st_size, 8192);
    PFS_AUTO_TEXT struct pfs_text t = {0};
    struct pfs_node node = must_find(".planefs/errors.json");
    assert_int_equal(pfs_words(&tree, node, true, &t, NULL), 0);
    assert_int_equal(t.n, 8192);
    assert_int_equal(t.s[8191], '\n');
    assert_int_equal(t.s[8190], ' ');
    pfs_node_drop(&tree, node);
}

static void inodes_are_of_the_path(void **state)
{
    (void)state;
    ino_t plane = stat_of("em/corrected/05601.tif").st_ino, elsewhere = stat_of("sub/em/corrected/05601.tif").st_ino;
    assert_int_not_equal(plane, elsewhere);
    assert_int_equal(end(NULL), 0);
    assert_int_equal(begin(NULL), 0);
    pfs_node_drop(&tree, must_find("hyper/pca/2.tif"));          /* other places first, so other numbers */
    assert_int_equal(stat_of("em/corrected/05601.tif").st_ino, plane);
}

static void a_newer_snapshot_is_taken_up(void **state)
{
    struct pfs_err err = {0};
    (void)state;
    struct pfs_node old = must_find("em/slice/z5601"), gone = must_find("em/slice/z5603");
    struct pfs_node folder = must_find("em/corrected"), file = must_find("em/corrected/05601.tif");
    uint64_t before = pfs_node_id(old), folder_before = pfs_node_id(folder), file_before = pfs_node_id(file);
    ino_t ino = pfs_node_ino(file);
    items[0].dataset = &em_later;
    assert_int_equal(pfs_tree_current(&tree, &old, true, &err), 0);
    assert_int_not_equal(pfs_node_id(old), before);
    assert_ptr_equal(old.dataset, &em_later);
    assert_int_equal(pfs_tree_current(&tree, &folder, true, &err), 0);
    assert_int_equal(pfs_node_id(folder), folder_before);
    assert_ptr_equal(folder.dataset, &em_later);
    assert_ptr_equal(file.dataset, &em);
    assert_int_equal(pfs_tree_current(&tree, &file, true, &err), 0);
    assert_int_not_equal(pfs_node_id(file), file_before);
    assert_int_equal(pfs_node_ino(file), ino);
    struct pfs_node kept = pfs_node_of(&tree, pfs_node_id(folder));
    assert_ptr_equal(kept.dataset, &em_later);
    pfs_node_drop(&tree, kept);
    assert_int_equal(pfs_tree_current(&tree, &gone, true, &err), -ENOENT);
    items[0].kind = PFS_ITEM_FOLDER;
    assert_int_equal(pfs_tree_current(&tree, &old, true, &err), -ENOENT);
    pfs_node_drop(&tree, old);
    pfs_node_drop(&tree, gone);
    pfs_node_drop(&tree, folder);
    pfs_node_drop(&tree, file);
}

static void the_mount_point_may_be_the_data_set(void **state)
{
    (void)state;
    top.self = &em;
    lists("", ".planefs slice segment volume stats.json source corrected");
    lists("corrected", "05600.tif 05601.tif 05603.tif");
    reason_is("slice/z5602.error", "ENOENT: this section is missing\n");
    reason_is("corected.error", "ENOENT: no view is named corected; did you mean corrected?\n");
    struct pfs_err err = {0};
    struct pfs_node node = must_find("corrected");
    assert_int_equal(pfs_node_ino(pfs_node_parent(node)), 1);
    top.self = &em_later;
    assert_int_equal(pfs_tree_current(&tree, &node, true, &err), 0);
    assert_ptr_equal(node.dataset, &em_later);
    pfs_node_drop(&tree, node);
}

static void nothing_waits_that_should_not(void **state)
{
    struct pfs_node node;
    struct stat st;
    struct pfs_err err = {0};
    (void)state;
    struct pfs_node em_node = must_find("em");
    cold = true;
    assert_int_equal(pfs_tree_lookup(&tree, root, "em", false, &node, &err), -EAGAIN);
    assert_int_equal(pfs_tree_lookup(&tree, em_node, "corrected", false, &node, &err), 0);
    struct pfs_node file;
    assert_int_equal(pfs_tree_lookup(&tree, node, "05600.tif", false, &file, &err), 0);
    assert_int_equal(pfs_tree_stat(&tree, file, false, &st, &err), -EAGAIN);
    assert_int_equal(pfs_tree_stat(&tree, file, true, &st, &err), 0);
    assert_int_equal(pfs_tree_stat(&tree, root, false, &st, &err), -EAGAIN);
    assert_int_equal(pfs_tree_stat(&tree, root, true, &st, &err), 0);
    assert_int_equal(st.st_mtim.tv_nsec, 9000);
    struct pfs_node made;
    assert_int_equal(pfs_tree_lookup(&tree, em_node, "corrected@by=1", false, &made, &err), -EAGAIN);
    pfs_node_drop(&tree, file);
    pfs_node_drop(&tree, node);
    pfs_node_drop(&tree, em_node);
}

static void made_up_names_are_counted_and_forgotten(void **state)
{
    enum { MANY = 3000, MOST = 100 };
    static struct pfs_node made[MANY];
    char name[64];
    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, i % 2 ? "em/corrected@by=%d" : "em/none%d.error", i);
        made[i] = must_find(name);
    }
    assert_int_equal(pfs_places_made(tree.places), MANY);
    struct pfs_place *oldest = pfs_place_oldest(tree.places, MOST);
    assert_ptr_equal(oldest, made[0].place);
    pfs_place_drop(tree.places, oldest, 1);
    oldest = pfs_place_oldest(tree.places, MOST);
    assert_ptr_equal(oldest, made[1].place);
    pfs_place_drop(tree.places, oldest, 1);
    for (int i = 0; i < MANY; i++) {
        uint64_t id = pfs_node_id(made[i]);
        struct pfs_node again = pfs_node_of(&tree, id);
        assert_ptr_equal(again.place, made[i].place);
        pfs_node_drop(&tree, again);
        pfs_node_drop(&tree, made[i]);
        assert_null(pfs_node_of(&tree, id).place);
    }
    assert_null(pfs_place_oldest(tree.places, 0));
}

static void numbers_of_the_dead_come_back_late(void **state)
{
    (void)state;
    struct pfs_node first = must_find("em/a.error"), anchor = must_find("em");
    uint64_t id = pfs_node_id(first);
    pfs_node_drop(&tree, first);
    struct pfs_node second = must_find("em/b.error");
    assert_int_not_equal(pfs_node_id(second), id);
    pfs_node_drop(&tree, second);
    pfs_node_drop(&tree, anchor);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(folders), CASE(a_section_stack), CASE(a_hyperstack), CASE(views_stand_where_they_belong),
        CASE(parameters_reach_the_engine), CASE(chunks_count_from_zero), CASE(a_pixel_of_a_huge_stack_has_a_node),
        CASE(times_are_of_what_takes_part), CASE(offsets_are_stable), CASE(reasons), CASE(attributes),
        CASE(live_texts_never_shrink), CASE(inodes_are_of_the_path), CASE(a_newer_snapshot_is_taken_up),
        CASE(the_mount_point_may_be_the_data_set), CASE(nothing_waits_that_should_not),
        CASE(made_up_names_are_counted_and_forgotten), CASE(numbers_of_the_dead_come_back_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
