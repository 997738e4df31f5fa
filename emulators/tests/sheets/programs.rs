//! What programs that know nothing of us make of the emulator: curl, and Python's csv module.

use std::process::Command;

use outdial_emulators::sheets::Scenario;

use crate::harness::World;

/// Prints the rows of a file as JSON.
const READ_CSV: &str = "import csv, io, json, sys\n\
    text = open(sys.argv[1], encoding='utf-8', newline='').read()\n\
    print(json.dumps(list(csv.reader(io.StringIO(text, newline=''))), ensure_ascii=False))";

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().expect("the program is installed");
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Programs run in threads of their own, while this test's runtime serves.
async fn curl(url: &str) -> String {
    let url = url.to_owned();
    let arguments = ["-sSL", "--compressed", "--max-time", "20", "--noproxy", "*", "-D", "-"];
    let fetch = move || run("curl", &[&arguments[..], &[&url]].concat());
    tokio::task::spawn_blocking(fetch).await.expect("no panic")
}

#[tokio::test]
async fn curl_follows_to_the_file_and_unpacks_it() {
    let world = World::new().await;
    for scenario in [Scenario::Ok, Scenario::Gzip, Scenario::OkWithoutRedirect] {
        let told = curl(&world.export(scenario, "&gid=0")).await;
        let (heads, body) = told.rsplit_once("\r\n\r\n").expect("a head");
        let statuses: Vec<_> = heads.lines().filter(|line| line.starts_with("HTTP/1.1 ")).collect();
        let redirected = ["HTTP/1.1 307 Temporary Redirect", "HTTP/1.1 200 OK"];
        let expected = if scenario == Scenario::OkWithoutRedirect { &redirected[1..] } else { &redirected };
        assert_eq!(statuses, expected, "{scenario:?}");
        assert!(body.starts_with("name,phone,note,amount\r\nAsha Rao,"), "{scenario:?}: {body}");
        assert!(body.ends_with("TRUE"), "{scenario:?}: {body}");
    }
}

#[tokio::test]
async fn python_reads_five_rows_of_four_cells_from_both_forms() {
    let world = World::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let export = world.csv(&world.export(Scenario::Ok, "")).await;
    let query = world.get(&world.query(Scenario::Ok, "&headers=1")).await.text().await.expect("text");
    for (name, text) in [("export.csv", export), ("query.csv", query)] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        let rows = run("python3", &["-c", READ_CSV, path.to_str().expect("UTF-8")]);
        let expected = "[[\"name\", \"phone\", \"note\", \"amount\"], \
            [\"Asha Rao\", \"+91 98765 43210\", \"said \\\"later\\\", call 5pm\", \"1,200.50\"], \
            [\"José\", \"0044 20 7946 0018\", \"line1\\nline2\", \"\"], \
            [\"\", \"\", \"\", \"\"], \
            [\"李雷\", \"+8613800138000\", \"#N/A\", \"TRUE\"]]";
        assert_eq!(rows.trim_end(), expected, "{name}");
    }
}
