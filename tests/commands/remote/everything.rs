//! All that the program can do: through a server, or with the reason why not.

use futures_util::future::{BoxFuture, FutureExt, join_all};
use outdial_workflows::playbook::shipped;

use super::ways::FAKE;
use crate::alone::Alone;
use crate::support::world::World;

/// What is about the machine where the database is, or brings all that it needs: refused with a server.
const HERE: &[&str] = &[
    "serve",
    "migrate",
    "judge",
    "retention",
    "demo",
    "emulator",
    "bench import",
    "bench conversations",
    "bench idle",
    "bench lead-runs",
    "bench pages",
    "bench pause",
];
/// What needs neither.
const ALONE: &[&str] =
    &["config show", "config reference", "completions bash", "subscriber types", "playbook check PLAYBOOK"];
/// What goes to the server. `ID` is nobody's, and `FILE` and `EMPTY` are there.
const THERE: &[&str] = &[
    "api GET clients",
    "doctor",
    "client create Acme",
    "client list",
    "client limit Acme --max-concurrent 3",
    "client pause Acme --until 2h",
    "client resume Acme",
    "account add Exotel --client Acme --account-sid example1 --api-key EXAMPLE --api-token EXAMPLE",
    "account list",
    "account test Exotel",
    "account limit Exotel --clear",
    "account pause Exotel",
    "account resume Exotel",
    "account rotate Exotel --account-sid example1 --api-key EXAMPLE --api-token EXAMPLE",
    "account settings Exotel EMPTY",
    "account disable Exotel",
    "account enable Exotel",
    "number list Exotel",
    "number limit Exotel 08040000000 --max-concurrent 1",
    "key create script --role viewer",
    "key list",
    "key revoke ID",
    "key rotate ID",
    "campaign create Spring --account Exotel",
    "campaign clone Spring Summer",
    "campaign list",
    "campaign rules Spring",
    "campaign start Spring",
    "campaign pause Spring",
    "campaign resume Spring",
    "campaign cancel Spring --yes",
    "campaign edit Spring --max-attempts 2",
    "campaign preview Spring",
    "campaign simulate Spring",
    "campaign schedule add Spring --do start --cron 0_0_9_*_*_*",
    "campaign schedule list Spring",
    "campaign schedule remove ID",
    "campaign status Spring",
    "campaign status-link Spring",
    "leads import FILE --campaign Spring",
    "leads pause --campaign Spring --yes",
    "leads resume --campaign Spring --yes",
    "leads cancel --campaign Spring --yes",
    "leads retry --campaign Spring --yes",
    "leads reschedule --at 2h --campaign Spring --yes",
    "leads prioritise --to high --campaign Spring --yes",
    "leads hang-up --campaign Spring --yes",
    "lead explain ID",
    "lead pause ID",
    "lead resume ID",
    "lead cancel ID",
    "lead retry ID",
    "lead transfer ID --to +14155550123 --briefing hello",
    "lead reschedule ID --at 2h",
    "lead prioritise ID --to high",
    "lead hang-up ID",
    "lead edit ID --name Asha --attribute city=Pune",
    "lead correct ID --attempt 1 --to not_interested --reason listened",
    "job list --client Acme --state done",
    "job show ID",
    "job kinds",
    "job pause deliver.v1",
    "job resume deliver.v1",
    "import list --campaign Spring",
    "import show ID",
    "import notes ID",
    "import undo ID --yes",
    "export Spring",
    "analytics --campaign Spring",
    "playbook add PLAYBOOK --client Acme",
    "playbook list --client Acme",
    "playbook show minimal --client Acme",
    "playbook versions minimal --client Acme",
    "sheet link https://docs.google.com/spreadsheets/d/EXAMPLE/edit --campaign Spring",
    "sheet list --campaign Spring",
    "sheet edit ID --no-cron",
    "sheet refresh ID",
    "sheet unlink ID",
    "person erase +919876500001 --client Acme --yes",
    "person erased +919876500001 --client Acme",
    "conversation list --client Acme",
    "conversation follow ID",
    "consent add +919876500001 --client Acme --source form",
    "consent revoke +919876500001 --client Acme",
    "consent list +919876500001 --client Acme",
    "suppression add +919876500001 --client Acme",
    "suppression remove +919876500001 --client Acme",
    "suppression list --campaign Spring",
    "suppression import FILE --client Acme",
    "subscriber add --client Acme --url https://crm.example.com/hook",
    "subscriber list --client Acme",
    "subscriber edit ID --url https://crm.example.com/hook",
    "subscriber disable ID",
    "subscriber enable ID",
    "subscriber rotate ID",
    "subscriber ping ID",
    "subscriber delete ID",
    "subscriber deliveries ID",
    "subscriber redeliver ID --since 2h",
    "operation list",
    "operation show ID",
    "operation cancel ID",
];

/// Every command that has no commands of its own, as the program's help names them.
fn leaves(here: &Alone, path: Vec<String>) -> BoxFuture<'_, Vec<String>> {
    async move {
        let mut asked: Vec<&str> = path.iter().map(String::as_str).collect();
        asked.push("--help");
        let help = here.says(&[], &asked).await.out;
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let listed = listed.take_while(|line| !line.is_empty());
        let names = listed.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
        let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        let below = names.map(|name| leaves(here, [path.clone(), vec![name.to_owned()]].concat()));
        let below: Vec<_> = below.collect();
        match below.is_empty() {
            true => vec![path.join(" ")],
            false => join_all(below).await.concat(),
        }
    }
    .boxed()
}

#[tokio::test]
async fn every_command_goes_through_a_server_or_says_why_not() {
    let world = World::new().await;
    let here = Alone::new();
    let all = [HERE, ALONE, THERE].concat();
    let leaves = leaves(&here, vec![]).await;
    for leaf in &leaves {
        let named = |given: &&&str| given.split(' ').take(leaf.split(' ').count()).eq(leaf.split(' '));
        let tried = all.iter().filter(named).count();
        assert_eq!(tried, 1, "`{leaf}` is to stand in one of the lists above");
    }
    assert_eq!(leaves.len(), all.len(), "{leaves:?}");
    let file = here.write("numbers.csv", "phone\n+919876500001\n").display().to_string();
    let empty = here.write("empty.json", "{}").display().to_string();
    let playbook = here.write("minimal.toml", shipped("minimal").expect("it is there"));
    let playbook = playbook.display().to_string();
    let server = ("OUTDIAL_SERVER", world.public_url().as_str());
    let said = all.iter().map(|given| {
        let given = given.replace("ID", "0199f000-0000-7000-8000-000000000000").replace("FILE", &file);
        let given = given.replace("EMPTY", &empty).replace("PLAYBOOK", &playbook);
        let environment = [server, FAKE];
        let here = &here;
        async move {
            // What a shell would keep together stands with _ for a space.
            let spaced =
                |word: &str| if word.contains('*') { word.replace('_', " ") } else { word.to_owned() };
            let words: Vec<String> = given.split(' ').map(spaced).collect();
            here.says(&environment, &words.iter().map(String::as_str).collect::<Vec<_>>()).await
        }
    });
    for (given, said) in all.iter().zip(join_all(said.collect::<Vec<_>>()).await) {
        match given {
            given if HERE.contains(given) => {
                assert!(
                    said.code == Some(2) && said.err.contains("OUTDIAL_SERVER names"),
                    "{given}: {said:?}"
                );
                assert!(
                    said.err.contains("database") || said.err.contains("leave the server out"),
                    "{said:?}"
                );
            }
            given if ALONE.contains(given) => assert_eq!(said.code, Some(0), "{given}: {said:?}"),
            given => {
                let told = format!("{}{}", said.out, said.err);
                assert!(said.code == Some(1) && told.contains("not one of ours"), "{given}: {said:?}");
            }
        }
    }
    world.end().await;
}
