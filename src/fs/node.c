/* Nodes: numbers, names, paths and inode numbers, all computed from a place and an index.
 *
 * The index of a node is its numbers as digits of a mixed radix, one digit for every {t} {z} {c} {y} {x} or {name} on
 * the way from the dataset's folder. Taking the digits of the last part away leaves the index of the folder above. */
#include "fs/tree.h"

#include <planefs/hash.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ROOT_ID = 1, CHUNK_LEAST = 64 };

const char *const pfs_control_names[PFS_N_CONTROL] = {"", "README.txt", "status.json", "errors.json", "jobs.json"};

static bool is_root(struct pfs_node node)
{
    return node.place->kind == PFS_PLACE_FOLDER && !node.place->parent;
}

uint64_t pfs_node_id(struct pfs_node node)
{
    return is_root(node) ? ROOT_ID : (uint64_t)node.place->id << PFS_INDEX_BITS | node.index;
}

struct pfs_node pfs_node_of(struct pfs_tree *t, uint64_t id)
{
    struct pfs_place *place = pfs_place_numbered(t->places, (uint32_t)(id >> PFS_INDEX_BITS));
    uint64_t index = id & ((UINT64_C(1) << PFS_INDEX_BITS) - 1);
    if (!place)
        return (struct pfs_node){0};
    return (struct pfs_node){place, place->parent ? index : 0, pfs_place_dataset(t->places, place)};
}

void pfs_node_hand_over(struct pfs_node node)
{
    if (node.dataset)
        pfs_dataset_unref(node.dataset);
}

void pfs_node_drop(struct pfs_tree *t, struct pfs_node node)
{
    pfs_node_hand_over(node);
    if (node.place)
        pfs_place_drop(t->places, node.place, 1);
}

struct pfs_node pfs_node_copy(struct pfs_tree *t, struct pfs_node node)
{
    pfs_place_hold(t->places, node.place, 1);
    if (node.dataset)
        pfs_dataset_ref(node.dataset);
    return node;
}

/* How many values a number may take. Bare y and x count chunks, of which the smallest has 64 pixels a side. */
uint64_t pfs_part_radix(const struct pfs_dataset *d, const struct pfs_token *token)
{
    const struct pfs_shape *s = &d->shape;
    switch (token->var) {
    case PFS_VAR_T: return (uint64_t)s->t;
    case PFS_VAR_Z: return (uint64_t)s->z;
    case PFS_VAR_C: return (uint64_t)s->c;
    case PFS_VAR_Y: return (uint64_t)(token->bare ? s->y / CHUNK_LEAST + 1 : s->y);
    case PFS_VAR_X: return (uint64_t)(token->bare ? s->x / CHUNK_LEAST + 1 : s->x);
    case PFS_VAR_NAME: return (uint64_t)pfs_shape_planes(s);
    default: return 1;
    }
}

static void set(struct pfs_vars *vars, int var, int64_t value, bool bare)
{
    vars->v[var] = value;
    vars->have |= 1u << var;
    if (bare)
        vars->bare |= 1u << var;
}

/* Take the digits of a part off the index. */
static void pop(const struct pfs_place *p, const struct pfs_dataset *d, uint64_t *index, struct pfs_vars *ret)
{
    const struct pfs_part *part = &p->branch->part;
    for (int i = part->n - 1; i >= 0; i--) {
        const struct pfs_token *token = &part->token[i];
        if (token->var >= PFS_VAR_N && token->var != PFS_VAR_NAME)
            continue;
        uint64_t radix = pfs_part_radix(d, token), digit = *index % radix;
        *index /= radix;
        if (!ret)
            continue;
        if (token->var == PFS_VAR_NAME) {
            struct pfs_at at = pfs_at_of(&d->shape, (int64_t)digit);
            set(ret, PFS_VAR_T, at.t, false);
            set(ret, PFS_VAR_Z, at.z, false);
            set(ret, PFS_VAR_C, at.c, false);
        } else {
            set(ret, token->var, (int64_t)digit, token->bare);
        }
    }
}

struct pfs_node pfs_node_parent(struct pfs_node node)
{
    uint64_t index = node.index;
    if (is_root(node))
        return node;
    if (node.place->kind == PFS_PLACE_CONTROL && index)
        return (struct pfs_node){node.place, 0, NULL};
    if (node.place->kind == PFS_PLACE_BRANCH)
        pop(node.place, node.dataset, &index, NULL);
    bool out = node.place->kind == PFS_PLACE_DATASET;
    return (struct pfs_node){node.place->parent, index, out ? NULL : node.dataset};
}

void pfs_node_vars(struct pfs_node node, struct pfs_vars *ret)
{
    *ret = (struct pfs_vars){0};
    for (const struct pfs_place *p = node.place; p->kind == PFS_PLACE_BRANCH; p = p->parent) {
        pop(p, node.dataset, &node.index, ret);
        if (p->n >= 0)
            set(ret, PFS_VAR_N, p->n, false);
    }
}

bool pfs_node_is_folder(struct pfs_node node)
{
    switch (node.place->kind) {
    case PFS_PLACE_BRANCH: return !node.place->branch->kind;
    case PFS_PLACE_CONTROL: return node.index == PFS_CONTROL_FOLDER;
    case PFS_PLACE_REASON: return false;
    default: return true;
    }
}

static int64_t shown(const struct pfs_dataset *d, const struct pfs_token *token, int64_t ordinal)
{
    bool counted = token->var <= PFS_VAR_C && !token->bare;
    return ordinal + (counted ? d->first[token->var - PFS_VAR_T] : 0);
}

static int numbered_name(struct pfs_node node, char name[PFS_NAME_MAX])
{
    const struct pfs_part *part = &node.place->branch->part;
    const struct pfs_dataset *d = node.dataset;
    struct pfs_vars vars = {0};
    size_t n = 0;
    uint64_t index = node.index;
    pop(node.place, d, &index, &vars);
    for (int i = 0; i < part->n && n < PFS_NAME_MAX; i++) {
        const struct pfs_token *token = &part->token[i];
        char plane[PFS_NAME_MAX];
        if (token->var == PFS_VAR_NAME) {
            pfs_dataset_name(d, (struct pfs_at){vars.v[PFS_VAR_T], vars.v[PFS_VAR_Z], vars.v[PFS_VAR_C]}, plane);
            n += (size_t)snprintf(name + n, PFS_NAME_MAX - n, "%s", plane);
        } else if (token->var == PFS_LITERAL) {
            n += (size_t)snprintf(name + n, PFS_NAME_MAX - n, "%.*s", (int)token->n, token->s);
        } else {
            n += (size_t)snprintf(name + n, PFS_NAME_MAX - n, "%lld",
                                  (long long)shown(d, token, vars.v[token->var]));
        }
    }
    return n < PFS_NAME_MAX ? (int)n : -ENAMETOOLONG;
}

int pfs_node_name(struct pfs_node node, char name[PFS_NAME_MAX])
{
    const struct pfs_place *p = node.place;
    const char *suffix = p->kind == PFS_PLACE_REASON ? ".error" : "";
    if (!p->name)
        return numbered_name(node, name);
    const char *s = p->kind == PFS_PLACE_CONTROL && node.index ? pfs_control_names[node.index] : p->name;
    int n = snprintf(name, PFS_NAME_MAX, "%s%s", s, suffix);
    return n < PFS_NAME_MAX ? n : -ENAMETOOLONG;
}

uint64_t pfs_node_ino(struct pfs_node node)
{
    char name[PFS_NAME_MAX];
    if (is_root(node))
        return ROOT_ID;
    uint64_t above = pfs_node_ino(pfs_node_parent(node));
    int n = pfs_node_name(node, name);
    if (n <= 0)                            /* the dataset that is the mount point has no name of its own */
        return above;
    uint64_t ino = pfs_hash64(name, (size_t)n, above);
    return ino > ROOT_ID ? ino : ino + 2;
}

void pfs_node_path(struct pfs_node node, struct pfs_text *ret)
{
    char name[PFS_NAME_MAX];
    if (is_root(node))
        return;
    pfs_node_path(pfs_node_parent(node), ret);
    if (pfs_node_name(node, name) <= 0)
        return;
    if (ret->n)
        pfs_text_add(ret, "/");
    pfs_text_add(ret, name);
}
