include!(concat!(env!("OUT_DIR"), "/step_2/src/main.rs"));
