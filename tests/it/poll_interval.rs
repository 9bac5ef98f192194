//! The default interval against the best possible and against fixed intervals. Nothing sleeps here.

mod evaluate;

use evaluate::{Duration, evaluate};

#[test]
fn default_interval_is_near_the_optimum_for_usual_jobs() {
    let cost = evaluate(&Duration::log_normal(110.0, 0.45));
    assert!(cost.of_optimum() <= 1.15, "{}", cost.of_optimum());
    assert!(cost.lag < 3.0, "{}", cost.lag);
}

#[test]
fn default_interval_is_never_much_worse_than_a_fixed_one() {
    for job in Duration::all() {
        let cost = evaluate(&job);
        assert!(cost.of_fixed() <= 1.1, "{job}: {}", cost.of_fixed());
        assert!(cost.of_optimum() > 1.0, "{job}: {}", cost.of_optimum());
    }
}

#[test]
fn evaluation_agrees_with_the_known_mean() {
    // The mean of a log-normal time is median x exp(sigma^2 / 2).
    let cost = evaluate(&Duration::log_normal(110.0, 0.45));
    let fixed = cost.product() / cost.of_fixed();
    let expected = 110.0 * (0.45_f64 * 0.45 / 2.0).exp() / 2.0;
    assert!((fixed - expected).abs() < 0.01, "{fixed} {expected}");
}
