//! How soon the first octets of a large message reach its recipients: from the sender's write of the header
//! sections and 60 KB of a 1 GB message until the last of 100 recipients can read.
//!
//! ```sh
//! cargo bench -p msrpd-benches --bench first_octets              # 100 recipients, auto
//! cargo bench -p msrpd-benches --bench first_octets -- epoll 10  # backend, recipients
//! ```

use ring_io::Want;

use msrpd_benches::town::Town;

fn main() {
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .collect();
    let want = match args.first().map(String::as_str) {
        Some("epoll") => Want::Epoll,
        Some("uring") => Want::Uring,
        Some(_) | None => Want::Auto,
    };
    let (usual, rounds) = if is_bench { (100, 201) } else { (10, 3) };
    let recipients = args
        .get(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(usual);
    let mut town = Town::new(want, 1, recipients);
    let mut times: Vec<_> = (0..rounds).map(|_| town.first_octets()).collect();
    times.sort_unstable();
    println!("recipients,median_us,p90_us,max_us");
    let [median, p90, max] =
        [rounds / 2, rounds * 9 / 10, rounds - 1].map(|rank| times[rank].as_micros());
    println!("{recipients},{median},{p90},{max}");
    town.engine.shutdown();
}
