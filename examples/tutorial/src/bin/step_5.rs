include!(concat!(env!("OUT_DIR"), "/step_5/src/main.rs"));
