//! How a task query begins.

use crate::api::types::{TaskAction, TaskQuery};

impl TaskQuery {
    /// A query that says what to do, and nothing else yet; see [`api`](crate::api) for an example.
    pub fn new(action: TaskAction) -> Self {
        Self {
            action,
            application_id: None,
            created_at_max: None,
            created_at_min: None,
            id: None,
            ids: Vec::new(),
            limit: None,
            offset: None,
            trace_id: None,
            trace_ids: Vec::new(),
            type_: None,
            user_id: None,
        }
    }
}
