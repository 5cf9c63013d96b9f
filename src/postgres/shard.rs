//! Shares of all hosts, which nodes divide among themselves.

use xxhash_rust::xxh3::xxh3_64;

/// Number of shards. It is part of the stored state and never changes.
pub const SHARDS: u16 = 1024;

/// Returns the shard of a host, below [`SHARDS`]: the same on every machine and in every version.
/// All providers of one host are in one shard, so one node alone keeps to the host's limits.
///
/// `host` is that of a URL, without its port. Upper and lower case are the same host.
#[must_use]
pub fn shard_of(host: &str) -> u16 {
    let hash = xxh3_64(host.to_ascii_lowercase().as_bytes());
    (hash % u64::from(SHARDS)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_keep_their_shards() {
        // The hash of nothing is 0x2d06800538d394c2.
        assert_eq!(shard_of(""), 0xc2);
        let host = shard_of("www.githubstatus.com");
        assert_eq!(host, shard_of("WWW.GitHubStatus.com"));
        assert_ne!(host, shard_of("status.acme.example"));
        let mut used = vec![0_u32; usize::from(SHARDS)];
        for n in 0..100_000 {
            used[usize::from(shard_of(&format!("status-{n}.example")))] += 1;
        }
        let most = used.iter().max().unwrap();
        assert!(used.iter().min().unwrap() > &40 && most < &170, "{used:?}");
    }
}
