//! The results as a table: medians, the ratio, the spread.

use std::fmt;

/// A figure of both sides, of several runs each.
pub struct Row {
    pub what: String,
    pub ours: Vec<f64>,
    /// Empty where the peer was not there.
    pub theirs: Vec<f64>,
    pub more_is_better: bool,
    pub goal: Goal,
}

#[derive(Clone, Copy)]
pub enum Goal {
    None,
    /// An amount of ours.
    AtMost(f64),
    /// So many times better than the peer.
    Times(f64),
}

pub const HEAD: &str = "\
    | | luma-client | | peer | | times better | goal | |\n\
    |---|---|---|---|---|---|---|---|";

impl Row {
    pub fn without_goal(self) -> Self {
        let goal = Goal::None;
        Self { goal, ..self }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ours, theirs) = (median(&self.ours), median(&self.theirs));
        let times = ours.zip(theirs).map(|(ours, theirs)| match self.more_is_better {
            true => ours / theirs,
            false => theirs / ours,
        });
        let (goal, reached) = match self.goal {
            Goal::None => (String::new(), None),
            Goal::AtMost(most) => (format!("at most {most}"), ours.map(|ours| ours <= most)),
            Goal::Times(least) => (format!("{least}x"), times.map(|times| times >= least)),
        };
        let verdict = match reached {
            None => "",
            Some(true) => "reached",
            Some(false) => "**missed**",
        };
        write!(
            f,
            "| {} | {} | {} | {} | {} | {} | {goal} | {verdict} |",
            self.what,
            shown(ours),
            spread(&self.ours),
            shown(theirs),
            spread(&self.theirs),
            shown(times),
        )
    }
}

fn sorted(figures: &[f64]) -> Vec<f64> {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    figures
}

fn median(figures: &[f64]) -> Option<f64> {
    let figures = sorted(figures);
    let (low, high) = (figures.len().checked_sub(1)? / 2, figures.len() / 2);
    Some((figures[low] + figures[high]) / 2.0)
}

fn spread(figures: &[f64]) -> String {
    match &*sorted(figures) {
        [least, .., most] => format!("{} to {}", number(*least), number(*most)),
        _ => String::new(),
    }
}

fn shown(figure: Option<f64>) -> String {
    figure.map_or_else(|| "-".to_owned(), number)
}

/// Three digits that count.
fn number(figure: f64) -> String {
    match figure {
        0.0 => "0".to_owned(),
        figure if figure.fract() == 0.0 || figure >= 100.0 => format!("{figure:.0}"),
        figure if figure >= 10.0 => format!("{figure:.1}"),
        figure if figure >= 1.0 => format!("{figure:.2}"),
        figure => format!("{figure:.3}"),
    }
}
