/* The version, as programs print it and TIFF headers carry it. */
#ifndef PLANEFS_VERSION_H
#define PLANEFS_VERSION_H

#define PLANEFS_VERSION "0.1.0"

#endif
