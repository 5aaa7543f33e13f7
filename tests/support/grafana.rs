//! Whether a dashboard is one: by the types that Grafana publishes of its dashboards and panels
//! (`@grafana/schema`), as a TypeScript compiler reads them. A name that Grafana does not know is a
//! fault, and so is a value of the wrong kind.
//!
//! Not checked by it: `transformations`, the `properties` of an override and the `config` of a map's
//! layer, of which Grafana says only that they are there.

use std::fmt::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::process::server;

/// The panels whose options are known.
const PANELS: [&str; 4] = ["geomap", "stat", "table", "timeseries"];
/// In JSON, an enumeration's value stands as it is; and a question to InfluxDB has a query.
const TYPES: &str = "\
type Plain<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Flux = grafana.DataQuery & { query: string };
type Dashboard = Omit<grafana.Dashboard, 'annotations'> &
    { annotations?: { list?: grafana.AnnotationQuery<Flux>[] } };
";

/// What the compiler finds wrong with these dashboards; nothing, if they are well.
///
/// # Panics
/// When a panel is of another kind, or the compiler can't be run.
#[must_use]
pub fn faults<'a>(dashboards: impl IntoIterator<Item = &'a Value>) -> String {
    let mut script = String::from("import type * as grafana from '@grafana/schema';\n");
    for kind in PANELS {
        let _ = writeln!(
            script,
            "import type * as {kind} from \
             '@grafana/schema/dist/types/raw/composable/{kind}/panelcfg/x/types.gen';"
        );
    }
    script += TYPES;
    for (n, dashboard) in dashboards.into_iter().enumerate() {
        let _ = writeln!(script, "export const d{n}: Plain<Dashboard> = {dashboard:#};");
        for (m, panel) in dashboard["panels"].as_array().expect("panels").iter().enumerate() {
            let kind = panel["type"].as_str().expect("a kind");
            assert!(PANELS.contains(&kind), "add {kind} to PANELS");
            for (what, path, types) in [
                ("options", "/options", format!("Partial<{kind}.Options>")),
                ("custom", "/fieldConfig/defaults/custom", format!("Partial<{kind}.FieldConfig>")),
                ("targets", "/targets", "Flux[]".to_owned()),
            ] {
                if let Some(value) = panel.pointer(path) {
                    let name = format!("d{n}_{m}_{what}");
                    let _ = writeln!(script, "export const {name}: Plain<{types}> = {value:#};");
                }
            }
        }
    }
    compile(&script)
}

fn compile(script: &str) -> String {
    let schema = server("grafana_schema");
    let modules = schema.ancestors().nth(3).expect("node_modules").to_owned();
    let dir = tempfile::tempdir().expect("a folder");
    symlink(&modules, dir.path().join("node_modules")).expect("a link");
    std::fs::write(dir.path().join("dashboards.ts"), script).expect("a file");
    let out = Command::new("node")
        .current_dir(dir.path())
        .arg(modules.join(Path::new("typescript/bin/tsc")))
        .args(["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022"])
        .args(["--module", "esnext", "--moduleResolution", "node10", "dashboards.ts"])
        .output()
        .expect("node");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success() || said.contains("error TS"), "{out:?}");
    said
}
