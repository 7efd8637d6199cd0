/* The tree of patterns. Each pattern is planted part by part; one with an optional part is planted twice. A folder and
 * a file of the same part text are two branches, so no pattern can hide another. */
#include "fs/branch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool literal(const struct pfs_part *part)
{
    return part->n == 1 && part->token[0].var == PFS_LITERAL;
}

/* Literal parts first, as they are declared; then more literal text first: "{view}.ome.tif" is asked before
 * "{view}.tif". */
static bool before(const struct pfs_branch *a, const struct pfs_branch *b)
{
    if (literal(&a->part) || literal(&b->part))
        return literal(&a->part) && !literal(&b->part);
    return pfs_part_literal(&a->part) > pfs_part_literal(&b->part);
}

static struct pfs_branch *find(struct pfs_branch *parent, const struct pfs_part *part)
{
    for (int i = 0; i < parent->n_children; i++) {
        struct pfs_branch *b = parent->child[i];
        if (!b->kind && b->part.n_s == part->n_s && !memcmp(b->part.s, part->s, part->n_s))
            return b;
    }
    return NULL;
}

static struct pfs_branch *grow(struct pfs_branch *parent, const struct pfs_part *part)
{
    struct pfs_branch **child = realloc(parent->child, ((size_t)parent->n_children + 1) * sizeof *child);
    if (!child)
        return NULL;
    parent->child = child;
    struct pfs_branch *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    *b = (struct pfs_branch){.part = *part, .parent = parent, .timeless = true};
    int at = parent->n_children++;
    while (at > 0 && before(b, child[at - 1])) {
        child[at] = child[at - 1];
        at--;
    }
    child[at] = b;
    return b;
}

static int plant(struct pfs_branch *root, const struct pfs_kind *kind, bool with_optional)
{
    struct pfs_part parts[PFS_PATTERN_PARTS];
    int optional, n = pfs_pattern_parts(kind->pattern, with_optional, parts, &optional);
    if (n < 0)
        return n;
    struct pfs_branch *b = root;
    for (int i = 0; i < n; i++) {
        bool last = i == n - 1;
        struct pfs_branch *next = last ? NULL : find(b, &parts[i]);
        if (!next && !(next = grow(b, &parts[i])))
            return -ENOMEM;
        b = next;
        b->listed |= kind->listed;
        b->times |= with_optional && i == optional;
        b->timeless &= !with_optional && i == optional;
    }
    b->kind = kind;
    return 0;
}

int pfs_branches_create(const struct pfs_kind *const *kinds, struct pfs_branch **ret, struct pfs_err *err)
{
    struct pfs_branch *root = calloc(1, sizeof *root);
    if (!root)
        return pfs_fail(err, ENOMEM, "no memory for the tree");
    root->listed = true;
    for (; *kinds; kinds++) {
        int r = plant(root, *kinds, false);
        if (!r && strchr((*kinds)->pattern, '['))
            r = plant(root, *kinds, true);
        if (r) {
            pfs_branches_destroy(root);
            return pfs_fail(err, -r, "file kind with the pattern %s", (*kinds)->pattern);
        }
    }
    *ret = root;
    return 0;
}

void pfs_branches_destroy(struct pfs_branch *root)
{
    if (!root)
        return;
    for (int i = 0; i < root->n_children; i++)
        pfs_branches_destroy(root->child[i]);
    free(root->child);
    free(root);
}

const struct pfs_kind *pfs_branch_kind(const struct pfs_branch *b, const struct pfs_dataset *d)
{
    if (b->kind)
        return pfs_kind_applies(b->kind, d) ? b->kind : NULL;
    for (int i = 0; i < b->n_children; i++) {
        const struct pfs_kind *k = pfs_branch_kind(b->child[i], d);
        if (k)
            return k;
    }
    return NULL;
}

bool pfs_branch_applies(const struct pfs_branch *b, const struct pfs_dataset *d)
{
    return pfs_branch_kind(b, d) != NULL;
}
