//! One record per trait of the contracts, so that the baseline is known to do the same work.

use crate::body::Bodies;
use crate::contract::{Contract, DataType};
use crate::record::Records;

/// The first body of a document of one record.
fn body(data_type: &str, contract: Contract, record: &str) -> String {
    let xml = format!("<{data_type}>{record}</{data_type}>");
    let mut records = Records::new(xml.as_bytes(), DataType::parse(data_type).unwrap(), contract);
    let record = records.next().unwrap().expect("one record");
    let mut out = Vec::new();
    Bodies::default().write(&record, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn expect(data_type: &str, xml: &str, topic: &str, fanout: &str) {
    assert_eq!(body(data_type, Contract::Topic, xml), format!("{topic}\n"));
    assert_eq!(body(data_type, Contract::Fanout, xml), format!("{fanout}\n"));
}

#[test]
fn labels_are_unwrapped_in_fanout_only() {
    expect(
        "labels",
        r#"<label><id>9</id><name>Planet E</name><parentLabel id="500">EMI</parentLabel><sublabels><label id="86">Antidote</label><label id="41">Projects</label></sublabels></label>"#,
        r##"{"type":"data","id":"9","sha256":"f0d75239659aca91ae70342ce715196d45a75d446cf4b3ea9910c33980ef26cf","id":"9","name":"Planet E","parentLabel":{"#text":"EMI","@id":"500"},"sublabels":{"label":[{"#text":"Antidote","@id":"86"},{"#text":"Projects","@id":"41"}]}}"##,
        r#"{"type":"data","id":"9","sha256":"c1b0531c2eccea04d41a7c6846bf5f5a1fe22981d8e7360621c1da1947c76e32","id":"9","name":"Planet E","parentLabel":{"id":"500","name":"EMI"},"sublabels":[{"id":"86","name":"Antidote"},{"id":"41","name":"Projects"}]}"#,
    );
}

#[test]
fn releases_keep_raw_attributes_in_topic_and_mixed_text_in_fanout() {
    expect(
        "releases",
        r#"<release id="1" status="Accepted"><title>Stockholm</title><labels><label name="A &amp; B" catno="S1" id="5"/></labels><formats><format name="Vinyl" qty="2" text=""/></formats><master_id is_main_release="true">5427</master_id><notes>a<b>x</b>b</notes><ws>   </ws></release>"#,
        r##"{"type":"data","id":"1","sha256":"e88772ce14494a671de23151e1831766bb7c7175dee76fa67b4b9feae52560f7","@id":"1","@status":"Accepted","formats":{"format":{"@name":"Vinyl","@qty":"2","@text":""}},"id":"1","labels":{"label":{"@catno":"S1","@id":"5","@name":"A &amp; B"}},"master_id":{"#text":"5427","@is_main_release":"true"},"notes":{"b":"x"},"title":"Stockholm","ws":null}"##,
        r##"{"type":"data","id":"1","sha256":"45930b2db500e63ee474f950d8f0bc192d3703151b6ff22c72157dcc3ad9375d","formats":[{"name":"Vinyl","qty":"2","text":""}],"id":"1","labels":[{"catno":"S1","id":"5","name":"A & B"}],"master_id":"5427","notes":{"#text":"ab","b":"x"},"status":"Accepted","title":"Stockholm","ws":null}"##,
    );
}

#[test]
fn bad_references_lose_their_text_in_topic_and_stay_in_fanout() {
    expect(
        "releases",
        r#"<release id="2"><title>Tom & Jerry</title><notes>x &nbsp; y</notes><id>77</id></release>"#,
        r#"{"type":"data","id":"2","sha256":"50c3e5ed452554578e986de6dcb4806fb7ab8185735ee87ecd6ce903de25d50d","@id":"2","id":"77","notes":null,"title":null}"#,
        r#"{"type":"data","id":"2","sha256":"d15531ade163a061afbcc85fba23d38834be17b57728f9d16133951fbd8c7289","id":"2","notes":"x &nbsp; y","title":"Tom & Jerry"}"#,
    );
}

#[test]
fn an_empty_tag_has_an_id_in_fanout_only() {
    expect(
        "masters",
        r#"<master id="7"/>"#,
        r#"{"type":"data","id":"unknown","sha256":"ed3ea65083d68428b7ede6048f5ce233e2682ce52cb2b2c00d2ef539628c9a41","@id":"7"}"#,
        r#"{"type":"data","id":"7","sha256":"389bf6f649e1a6dca027ed7b7d5124457a00a16e130fe39e18474dccf85094b9","id":"7"}"#,
    );
}

#[test]
fn a_file_that_ends_inside_the_root_is_an_error() {
    let mut records = Records::new(&b"<artists><artist><id>1</id></artist>"[..], DataType::Artists, Contract::Topic);
    assert!(records.next().unwrap().is_some());
    assert!(records.next().is_err());
}
