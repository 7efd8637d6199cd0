/* Edit distance for suggestions: insertion, deletion, substitution and the swap of neighbours cost one each
 * (optimal string alignment, Boytsov 2011). Words are short, so three rows on the stack do. */
#include "ops/nearest.h"

#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 63, FAR = 1000 };

static int least(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

int pfs_edit_distance(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b);
    int rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];
    if (na > WORD_MAX || nb > WORD_MAX)
        return FAR;
    for (size_t j = 0; j <= nb; j++)
        last[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        now[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            now[j] = least(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
        int *turn = before;
        before = last;
        last = now;
        now = turn;
    }
    return last[nb];
}

void pfs_nearest_offer(struct pfs_nearest *n, const char *name)
{
    int d = pfs_edit_distance(n->wanted, name);
    if (!n->name || d < n->distance) {
        n->name = name;
        n->distance = d;
    }
}

const char *pfs_nearest_name(const struct pfs_nearest *n)
{
    int length = (int)strlen(n->wanted);
    return n->name && n->distance <= 1 + length / 3 && n->distance < length ? n->name : NULL;
}

const char *pfs_nearest_hint(const struct pfs_nearest *n, char *buf, size_t size)
{
    const char *name = pfs_nearest_name(n);
    snprintf(buf, size, name ? "; did you mean \"%s\"?" : "%s", name ? name : "");
    return buf;
}
