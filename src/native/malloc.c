/* Runs before main. glibc raises the size from which blocks are mapped, and so given back to the system at once, to that of
   the largest block freed, up to 32 MiB. After the first documents of a mebibyte all buffers of that size come from the heap,
   among what stays, and the heap grows by half a mebibyte for each provider. A size that is set stays as it is.
   What the environment says (MALLOC_MMAP_THRESHOLD_) is kept. */
#include <malloc.h>
#include <stdlib.h>

__attribute__((constructor)) static void keep_large_blocks_apart(void)
{
    if (!getenv("MALLOC_MMAP_THRESHOLD_") && !getenv("GLIBC_TUNABLES"))
        mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}
