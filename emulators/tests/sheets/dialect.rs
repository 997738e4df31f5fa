//! The bytes of both forms, against the protocol page's vector.

use outdial_emulators::sheets::{Document, Scenario, Tab};
use sha2::{Digest, Sha256};

use crate::harness::World;

/// From the protocol page, section 3; also the SHA-256 and the lengths below.
const EXPORT: &str = "name,phone,note,amount\r\n\
    Asha Rao,+91 98765 43210,\"said \"\"later\"\", call 5pm\",\"1,200.50\"\r\n\
    José,0044 20 7946 0018,\"line1\nline2\",\r\n\
    ,,,\r\n\
    李雷,+8613800138000,#N/A,TRUE";

const QUERY: &str = "\"name\",\"phone\",\"note\",\"amount\"\n\
    \"Asha Rao\",\"+91 98765 43210\",\"said \"\"later\"\", call 5pm\",\"1,200.50\"\n\
    \"José\",\"0044 20 7946 0018\",\"line1\nline2\",\"\"\n\
    \"\",\"\",\"\",\"\"\n\
    \"李雷\",\"+8613800138000\",\"#N/A\",\"TRUE\"";

#[tokio::test]
async fn the_export_form_of_the_vector_is_the_pages_to_the_byte() {
    let world = World::new().await;
    let response = world.followed(&world.export(Scenario::Ok, "&gid=0")).await;
    let bytes = response.bytes().await.expect("a body");
    assert_eq!(bytes, EXPORT.as_bytes());
    assert_eq!(bytes.len(), 164);
    let sha256 = "c14364ef9ca10741f32fe6074ba780770087a83c75accf6af37054467f90c866";
    assert_eq!(hex::encode(Sha256::digest(&bytes)), sha256);
}

#[tokio::test]
async fn the_query_form_of_the_vector_is_the_pages_to_the_byte() {
    let world = World::new().await;
    let response = world.get(&world.query(Scenario::Ok, "&gid=0&headers=1")).await;
    assert_eq!((response.status().as_u16(), response.headers().get("location")), (200, None));
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    let bytes = response.bytes().await.expect("a body");
    assert_eq!(bytes, QUERY.as_bytes());
    assert_eq!(bytes.len(), 194);
}

#[tokio::test]
async fn a_part_of_a_tab_can_be_asked_for() {
    let world = World::new().await;
    let csv = world.csv(&world.export(Scenario::Ok, "&range=A1:B2")).await;
    assert_eq!(csv, "name,phone\r\nAsha Rao,+91 98765 43210");
    let response = world.get(&world.export(Scenario::Ok, "&range=unknown_name")).await;
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn the_query_form_loses_what_is_of_another_type_than_its_column() {
    let world = World::new().await;
    let rows = [["phone"], ["919876543210"], ["919876543211"], ["+91 98765 43212"]];
    let tab = Tab::new(0, "Leads", rows.map(|row| row.map(str::to_owned).to_vec()));
    world.sheets.put(Scenario::Ok.id(), Document::new("Typed", [tab]), Scenario::Ok);
    let response = world.get(&world.query(Scenario::Ok, "")).await;
    let text = response.text().await.expect("text");
    assert_eq!(text, "\"phone\"\n\"919876543210\"\n\"919876543211\"\n\"\"");
    let csv = world.csv(&world.export(Scenario::Ok, "")).await;
    assert!(csv.ends_with("+91 98765 43212"), "{csv}");
}
