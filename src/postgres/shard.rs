//! Shares of all hosts, which nodes divide among themselves.

use url::Url;
use xxhash_rust::xxh3::xxh3_64;

/// Number of shards. It is part of the stored state and never changes.
pub const SHARDS: u16 = 1024;

/// Returns the shard of an address, below [`SHARDS`]: the same on every machine and in every version.
/// All providers of one host are in one shard, so one node alone keeps to the host's limits; the port
/// does not matter.
#[must_use]
pub fn shard_of(url: &Url) -> u16 {
    of_host(url.host_str().unwrap_or_default())
}

fn of_host(host: &str) -> u16 {
    let hash = xxh3_64(host.to_ascii_lowercase().as_bytes());
    (hash % u64::from(SHARDS)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_keep_their_shards() {
        // The hash of nothing is 0x2d06800538d394c2.
        assert_eq!(of_host(""), 0xc2);
        let host = of_host("www.githubstatus.com");
        assert_eq!(host, of_host("WWW.GitHubStatus.com"));
        assert_ne!(host, of_host("status.acme.example"));
        let url = "https://www.githubstatus.com:8443/api".parse().unwrap();
        assert_eq!(host, shard_of(&url));
        let mut used = vec![0_u32; usize::from(SHARDS)];
        for n in 0..100_000 {
            used[usize::from(of_host(&format!("status-{n}.example")))] += 1;
        }
        let most = used.iter().max().unwrap();
        assert!(used.iter().min().unwrap() > &40 && most < &170, "{used:?}");
    }
}
