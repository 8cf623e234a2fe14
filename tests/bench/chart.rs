//! The chart for the README: what one interaction costs, contender by contender.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

const SIZE: (u32, u32) = (760, 420);
const COLORS: [RGBColor; 4] =
    [RGBColor(33, 102, 172), RGBColor(178, 102, 24), RGBColor(90, 140, 60), RGBColor(150, 150, 150)];
/// Width of a bar, of 1 for each group.
const BAR: f64 = 0.2;

/// Draws a group of bars for each history, in microseconds, on a logarithmic scale.
pub(crate) fn draw(
    path: &Path,
    histories: &[usize],
    costs: &[(&'static str, Vec<f64>)],
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let failed = |error: &dyn std::fmt::Display| -> Box<dyn Error + Send + Sync> { error.to_string().into() };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let most = costs.iter().flat_map(|(_, us)| us).copied().fold(0.0, f64::max);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(|e| failed(&e))?;
    let mut chart = ChartBuilder::on(&area)
        .caption("One interaction on Redis, one caller: microseconds", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..histories.len() as f64, (10.0..most * 1.5).log_scale())
        .map_err(|e| failed(&e))?;
    let label = |x: &f64| {
        let centre = (x.fract() - 0.5).abs() < 0.01;
        histories.get(*x as usize).filter(|_| centre).map(|count| format!("history of {count}")).unwrap_or_default()
    };
    let mut mesh = chart.configure_mesh();
    mesh.disable_x_mesh()
        .x_labels(2 * histories.len() + 1)
        .x_label_formatter(&label)
        .y_label_formatter(&|us: &f64| format!("{us:.0}"))
        .y_desc("µs")
        .light_line_style(TRANSPARENT)
        .draw()
        .map_err(|e| failed(&e))?;
    for (place, ((name, us), color)) in costs.iter().zip(COLORS).enumerate() {
        let bars = us.iter().enumerate().map(|(group, us)| {
            let left = group as f64 + 0.1 + place as f64 * BAR;
            Rectangle::new([(left, 10.0), (left + BAR * 0.9, *us)], color.filled())
        });
        chart
            .draw_series(bars)
            .map_err(|e| failed(&e))?
            .label(*name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], color.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .draw()
        .map_err(|e| failed(&e))?;
    area.present().map_err(|e| failed(&e))
}
