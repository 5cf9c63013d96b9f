//! The table of tools.

use serde_json::{Map, Value, json};

use super::answers;
use super::arguments::Arguments;
use super::call::{Answer, Call, Context};
use crate::ledger::Reader;

/// A tool.
pub(super) struct Tool {
    pub(super) name: &'static str,
    description: &'static str,
    /// Its arguments: the name, the type in JSON Schema, what it means, whether it must be given.
    arguments: &'static [(&'static str, &'static str, &'static str, bool)],
    run: fn(&Call<'_>) -> Answer,
}

const LIMITED: (&str, &str, &str, bool) =
    ("limit", "integer", "at most this many items, up to 100; 25 by default", false);

/// The tools in a fixed order.
pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "open_incidents",
        description: "List the open incidents of all providers, or of one, the worst first.",
        arguments: &[("provider", "string", "the id of a provider", false), LIMITED],
        run: answers::open_incidents,
    },
    Tool {
        name: "provider_status",
        description: "Show the present state of one provider: status, how fresh it is, components, \
                      open incidents and maintenances.",
        arguments: &[("provider", "string", "the id of a provider", true)],
        run: answers::provider_status,
    },
    Tool {
        name: "incident",
        description: "Show one incident or maintenance with its updates and which channels were \
                      notified of each.",
        arguments: &[("key", "string", "its key, from open_incidents", true)],
        run: answers::incident,
    },
    Tool {
        name: "changes_since",
        description: "List the events after a sequence number, the oldest first. Start with the \
                      newest_seq of watch_health, and continue with next_seq.",
        arguments: &[("seq", "integer", "events after this number", true), LIMITED],
        run: answers::changes_since,
    },
    Tool {
        name: "history",
        description: "List past events, the newest last.",
        arguments: &[
            ("provider", "string", "the id of a provider", false),
            ("since", "string", "a duration such as 24h or 7d, or a time in RFC 3339", false),
            ("impact", "string", "an impact, such as major; with + also worse: minor+", false),
            LIMITED,
        ],
        run: answers::history,
    },
    Tool {
        name: "upcoming_maintenance",
        description: "List maintenances in progress and those announced for the next days.",
        arguments: &[("days", "integer", "days ahead, up to 365; 7 by default", false), LIMITED],
        run: answers::upcoming_maintenance,
    },
    Tool {
        name: "gate",
        description: "Decide whether a deployment may go ahead by the state of what it needs: pass, \
                      hold or unknown. Treat unknown as hold.",
        arguments: &[
            ("needs", "array", "PROVIDER or PROVIDER#COMPONENT, such as github#actions", true),
            ("min_impact", "string", "maintenance, minor, major (default) or critical", false),
        ],
        run: answers::gate,
    },
    Tool {
        name: "watch_health",
        description: "Show whether the watching itself works: providers that are not fresh, the \
                      local network, channels, the newest event, the nodes.",
        arguments: &[],
        run: answers::watch_health,
    },
    Tool {
        name: "explain_route",
        description: "Explain which channels an event goes to by the rules of the configuration, \
                      and why.",
        arguments: &[("seq", "integer", "the sequence number of the event", true)],
        run: answers::explain_route,
    },
];

/// Returns the tool with this name.
pub(super) fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// Returns the tools as `tools/list` shows them.
pub(super) fn list() -> Vec<Value> {
    let list = TOOLS.iter().map(|tool| {
        let properties: Map<String, Value> = tool
            .arguments
            .iter()
            .map(|(name, kind, meaning, _)| {
                let mut schema = json!({ "type": kind, "description": meaning });
                if let Some(schema) = schema.as_object_mut().filter(|_| *kind == "array") {
                    schema.insert("items".to_owned(), json!({ "type": "string" }));
                }
                ((*name).to_owned(), schema)
            })
            .collect();
        let required: Vec<&str> =
            tool.arguments.iter().filter(|one| one.3).map(|(name, ..)| *name).collect();
        json!({
            "name": tool.name,
            "description": tool.description,
            "inputSchema": {
                "type": "object",
                "properties": properties,
                "required": required,
                "additionalProperties": false,
            },
            "annotations": { "readOnlyHint": true, "openWorldHint": false },
        })
    });
    list.collect()
}

/// Runs a tool.
pub(super) fn call(tool: &Tool, arguments: &Map<String, Value>, context: &Context) -> Answer {
    let arguments = Arguments(arguments);
    let names: Vec<&str> = tool.arguments.iter().map(|(name, ..)| *name).collect();
    arguments.only(&names)?;
    // Opened anew each time: the database may be replaced meanwhile.
    let reader = Reader::open(&context.state_dir).map_err(|error| error.to_string())?;
    let now = (context.now)();
    (tool.run)(&Call { reader: &reader, context, arguments, now })
}
