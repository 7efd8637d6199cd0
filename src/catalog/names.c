/* Which files of a folder are sections of one stack: the naming rule.
 *
 * A name is cut into texts and numbers; names with equal texts form a family. Of the numbers that vary in a family, one
 * after `t`, `tp`, `time` is T, after `c`, `ch`, `w` C, and one may be without such a letter: Z. When several vary without
 * letters, the last is Z and the others split the family. A name that is only digits is a section by itself. */
#include "catalog/own.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NUMBERS_MAX = 12, DIGITS_MAX = 18 };

struct parsed {                     /* a name taken apart */
    char *family;                   /* texts with '\1' for each number */
    int n;
    int64_t number[NUMBERS_MAX];
    int at[NUMBERS_MAX];            /* where each number begins in the name */
    int axis[NUMBERS_MAX];          /* by the letters in front of it */
    int64_t candidate;
};

bool pfs_tiff_suffix(const char *name, size_t *ret_stem)
{
    static const char *const suffixes[] = {".tif", ".tiff", ".btf"};
    size_t n = strlen(name);
    for (size_t i = 0; i < 3; i++) {
        size_t k = strlen(suffixes[i]);
        if (n > k && !strcasecmp(name + n - k, suffixes[i])) {
            *ret_stem = n - k;
            return true;
        }
    }
    return false;
}

int pfs_natural_compare(const char *a, const char *b)
{
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            size_t za = strspn(a, "0"), zb = strspn(b, "0");
            size_t na = strspn(a + za, "0123456789"), nb = strspn(b + zb, "0123456789");
            if (na != nb)
                return na < nb ? -1 : 1;
            int r = strncmp(a + za, b + zb, na);
            if (r)
                return r;
            if (za != zb)
                return za < zb ? -1 : 1;
            a += za + na;
            b += zb + nb;
        } else if (*a != *b)
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        else
            a++, b++;
    }
    return *a ? 1 : *b ? -1 : 0;
}

/* The axis that the letters in front of position i name; they must stand alone: "_t01", "ch2", not "cat01". */
static int axis_before(const char *name, int i)
{
    static const struct { const char *letters; int axis; } words[] = {
        {"t", AXIS_T}, {"tp", AXIS_T}, {"time", AXIS_T}, {"c", AXIS_C}, {"ch", AXIS_C}, {"w", AXIS_C}, {"z", AXIS_Z}};
    int from = i;
    while (from > 0 && isalpha((unsigned char)name[from - 1]))
        from--;
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if ((size_t)(i - from) == strlen(words[k].letters) &&
            !strncasecmp(name + from, words[k].letters, (size_t)(i - from)))
            return words[k].axis;
    return AXIS_NONE;
}

static bool take_apart(const char *name, struct parsed *p)
{
    size_t stem;
    if (!pfs_tiff_suffix(name, &stem) || !(p->family = malloc(strlen(name) + 1)))
        return false;
    char *out = p->family;
    for (size_t i = 0; i < stem;) {
        size_t digits = strspn(name + i, "0123456789");
        if (digits && digits <= DIGITS_MAX && p->n < NUMBERS_MAX) {
            p->axis[p->n] = axis_before(name, (int)i);
            p->at[p->n] = (int)i;
            p->number[p->n++] = strtoll(name + i, NULL, 10);
            *out++ = '\1';
            i += digits;
        } else
            for (size_t k = digits ? digits : 1; k; k--)
                *out++ = name[i++];
    }
    strcpy(out, name + stem);
    return p->n > 0;
}

/* ---- families to groups ---- */

static int by_family(const void *a, const void *b)
{
    const struct parsed *x = a, *y = b;
    int r = strcmp(x->family, y->family);
    for (int i = 0; !r && i < x->n; i++)
        r = x->number[i] < y->number[i] ? -1 : x->number[i] > y->number[i];
    return r;
}

/* Which number gives which axis in this run of a family; false when they contradict each other. `splits` are numbers
 * that vary without a letter before the last such one. */
static bool assign(const struct parsed *p, int64_t n, int number_of[3], bool splits[NUMBERS_MAX])
{
    int plain = -1;
    number_of[0] = number_of[1] = number_of[2] = -1;
    memset(splits, 0, NUMBERS_MAX * sizeof *splits);
    for (int k = 0; k < p->n; k++) {
        bool varies = n == 1;
        for (int64_t i = 1; i < n && !varies; i++)
            varies = p[i].number[k] != p[0].number[k];
        if (!varies)
            continue;
        int axis = p->axis[k];
        if (axis == AXIS_NONE) {
            if (plain >= 0)
                splits[plain] = true;
            plain = k;
        } else if (number_of[axis] >= 0)
            return false;
        else
            number_of[axis] = k;
    }
    if (plain >= 0 && number_of[AXIS_Z] >= 0)
        splits[plain] = true;
    else if (plain >= 0)
        number_of[AXIS_Z] = plain;
    return number_of[0] >= 0 || number_of[1] >= 0 || number_of[2] >= 0;
}

static int by_numbers(const void *a, const void *b)
{
    const struct pfs_group_member *x = a, *y = b;
    for (int k = 0; k < 3; k++)
        if (x->number[k] != y->number[k])
            return x->number[k] < y->number[k] ? -1 : 1;
    return 0;
}

/* The title: the name up to its first axis number, without the axis letter and separators. */
static char *title_of(const char *name, const struct parsed *p, const int number_of[3])
{
    int first = -1;
    for (int k = 0; k < 3; k++)
        if (number_of[k] >= 0 && (first < 0 || number_of[k] < first))
            first = number_of[k];
    int n = p->at[first];
    if (p->axis[first] != AXIS_NONE)
        while (n > 0 && isalpha((unsigned char)name[n - 1]))
            n--;
    while (n > 0 && strchr("-_. ", name[n - 1]))
        n--;
    return strndup(name, (size_t)n);
}

static int add_group(const struct pfs_candidate *c, const struct parsed *p, int64_t n, const int number_of[3],
                     struct pfs_group **groups, int64_t *n_groups, int64_t *in_group)
{
    struct pfs_group *more = realloc(*groups, (size_t)(*n_groups + 1) * sizeof *more);
    if (!more)
        return -ENOMEM;
    *groups = more;
    struct pfs_group *g = &more[*n_groups];
    *g = (struct pfs_group){.n = n, .title = title_of(c[p->candidate].name, p, number_of),
                            .member = calloc((size_t)n, sizeof *g->member)};
    if (!g->title || !g->member) {
        free(g->title);
        free(g->member);
        return -ENOMEM;
    }
    for (int64_t i = 0; i < n; i++) {
        g->member[i].candidate = p[i].candidate;
        for (int k = 0; k < 3; k++)
            g->member[i].number[k] = number_of[k] >= 0 ? p[i].number[number_of[k]] : 0;
    }
    for (int k = 0; k < 3; k++)
        g->varies[k] = number_of[k] >= 0;
    qsort(g->member, (size_t)n, sizeof *g->member, by_numbers);
    for (int64_t i = 1; i < n; i++)
        if (!by_numbers(&g->member[i - 1], &g->member[i])) {   /* a1 and a01: two names for one section */
            free(g->title);
            free(g->member);
            return 0;
        }
    for (int64_t i = 0; i < n; i++)
        in_group[p[i].candidate] = *n_groups;
    (*n_groups)++;
    return 0;
}

static bool same_split(const struct parsed *a, const struct parsed *b, const bool splits[NUMBERS_MAX])
{
    for (int k = 0; k < a->n; k++)
        if (splits[k] && a->number[k] != b->number[k])
            return false;
    return true;
}

/* One family (sorted by its numbers): a group for each set of values of the splitting numbers. */
static int group_family(const struct pfs_candidate *c, struct parsed *p, int64_t n, struct pfs_group **groups,
                        int64_t *n_groups, int64_t *in_group)
{
    int number_of[3], r = 0;
    bool splits[NUMBERS_MAX];
    bool only_digits = !strncmp(p->family, "\1.", 2);
    if ((n < 2 && !only_digits) || !assign(p, n, number_of, splits))
        return 0;
    bool *done = calloc((size_t)n, sizeof *done);
    struct parsed *part = calloc((size_t)n, sizeof *part);
    if (!done || !part)
        r = -ENOMEM;
    for (int64_t i = 0; !r && i < n; i++) {
        int64_t m = 0;
        for (int64_t j = i; !done[i] && j < n; j++)
            if (!done[j] && same_split(&p[i], &p[j], splits)) {
                part[m++] = p[j];
                done[j] = j > i;
            }
        if (m >= 2 || (m == 1 && only_digits))
            r = add_group(c, part, m, number_of, groups, n_groups, in_group);
    }
    free(done);
    free(part);
    return r;
}

int pfs_group_sections(const struct pfs_candidate *c, int64_t n, struct pfs_group **ret, int64_t *ret_n,
                       int64_t *in_group)
{
    struct parsed *p = calloc((size_t)n + 1, sizeof *p);
    int64_t m = 0;
    int r = p ? 0 : -ENOMEM;
    *ret = NULL;
    *ret_n = 0;
    for (int64_t i = 0; p && i < n; i++) {
        in_group[i] = -1;
        p[m].candidate = i;
        if (c[i].tiff_name && take_apart(c[i].name, &p[m]))
            m++;
        else {
            free(p[m].family);
            p[m] = (struct parsed){0};
        }
    }
    if (p)
        qsort(p, (size_t)m, sizeof *p, by_family);
    for (int64_t i = 0, j; !r && i < m; i = j) {
        for (j = i + 1; j < m && !strcmp(p[i].family, p[j].family);)
            j++;
        r = group_family(c, p + i, j - i, ret, ret_n, in_group);
    }
    for (int64_t i = 0; i < m; i++)
        free(p[i].family);
    free(p);
    return r;
}

void pfs_groups_free(struct pfs_group *g, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        free(g[i].title);
        free(g[i].member);
    }
    free(g);
}
