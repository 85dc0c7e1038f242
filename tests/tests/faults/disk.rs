//! A disk without room: what the daemon writes is the records of usage, and messages do not wait for them.

use std::path::PathBuf;

use msrp_testkit::Daemon;
use msrpd_tests::{ALICE, BOB, CAROL, DAVE, FRIENDS, config_with_friends};
use serde_json::Value;

use crate::talk::Talk;
use crate::{MESSAGES, repeat, run};

/// A file system of few octets, for one test. It goes with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(number: usize) -> Self {
        let name = format!("msrpd-disk-{}-{number}", std::process::id());
        let place = std::env::temp_dir().join(name);
        std::fs::create_dir(&place).unwrap();
        let path = place.to_str().unwrap();
        run("mount", &["-t", "tmpfs", "-o", "size=256k", "tmpfs", path]);
        Self(place)
    }

    fn file(&self) -> PathBuf {
        self.0.join("usage.jsonl")
    }

    /// Leaves no more than so many octets.
    fn fill(&self, left: usize) {
        let used = std::fs::metadata(self.file()).map_or(0, |data| data.len());
        let used = usize::try_from(used).unwrap().next_multiple_of(4096);
        std::fs::write(self.0.join("filler"), vec![b'x'; 256 * 1024 - used - left]).unwrap();
    }

    fn make_room(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }

    /// The records so far: each line is whole.
    fn records(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.file()).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &[self.0.to_str().unwrap()]);
        let _left = std::fs::remove_dir(&self.0);
    }
}

async fn metric(daemon: &Daemon, what: &str) -> f64 {
    daemon.metric(&format!("msrpd_usage_{what}")).await
}

#[tokio::test]
#[ignore = "needs a mount namespace: tests/faults/run"]
async fn full_disk_holds_records_up_and_no_message_and_every_record_is_there_in_the_end() {
    repeat(async |way, number| {
        let disk = SmallDisk::new(number);
        let file = disk.file();
        let config = config_with_friends().set("usage", "file", file.to_str().unwrap());
        let talk = Talk::begin(way.start(config).await, way).await;
        talk.say_first_half(number).await;
        let series = "msrpd_usage_records_written_total";
        talk.daemon.wait_metric(series, |count| count == 4.0).await;
        // Part of a line finds room in some of them.
        disk.fill(number % 3 * 4096);
        for _ in 0..20 {
            let dave = way.join(&talk.daemon, FRIENDS, DAVE).await;
            dave.leave().await;
        }
        let failures = "msrpd_usage_write_failures_total";
        talk.daemon.wait_metric(failures, |count| count > 0.0).await;
        assert!(metric(&talk.daemon, "records_waiting").await > 0.0);
        talk.say_second_half();
        talk.wait_reports(MESSAGES).await;
        disk.make_room();
        talk.daemon.wait_metric(series, |count| count == 44.0).await;
        assert_eq!(metric(&talk.daemon, "records_lost_total").await, 0.0);
        let (mut daemon, ends) = talk.end_with_daemon().await;
        ends.assert_truth();
        ends.assert_delivered(MESSAGES, &[BOB, CAROL]);
        daemon.terminate().await;
        let records = disk.records();
        let of = |event: &str| {
            records
                .iter()
                .filter(|record| record["event"] == event)
                .count()
        };
        assert_eq!((of("start"), of("stop")), (24, 24));
        assert!(records.iter().any(|record| record["entity"] == ALICE));
    })
    .await;
}
