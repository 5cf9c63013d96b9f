/* Not compiled: build.rs reads which glibc the programs are linked with. */
#include <features.h>
statuswatch_glibc __GLIBC__ __GLIBC_MINOR__
