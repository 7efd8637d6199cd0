/* The version of planefs, as `planefs --version` and every header planefs writes say it. */
#ifndef PLANEFS_VERSION_H
#define PLANEFS_VERSION_H

#define PLANEFS_VERSION "0.1.0"

#endif
