//! The goals and what was measured, row by row.

use crate::rounds::Ratio;

/// What a measurement is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Row {
    name: &'static str,
    measured: Ratio,
    goal: Goal,
}

impl Row {
    pub(crate) fn new(name: &'static str, measured: Ratio, goal: Goal) -> Self {
        let row = Self { name, measured, goal };
        println!("{}", row.text());
        row
    }

    fn text(&self) -> String {
        let (sign, goal, is_met) = match self.goal {
            Goal::AtMost(goal) => ("≤", goal, self.measured.middle <= goal),
            Goal::AtLeast(goal) => ("≥", goal, self.measured.middle >= goal),
        };
        let verdict = if is_met { "met" } else { "missed" };
        format!("| {} | {} | {sign} {goal} | {verdict} |", self.name, self.measured)
    }
}

/// All rows as Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let lines: Vec<String> = rows.iter().map(Row::text).collect();
    format!("| what | measured: middle (least–most) of 11 rounds | goal | |\n|---|---|---|---|\n{}", lines.join("\n"))
}
