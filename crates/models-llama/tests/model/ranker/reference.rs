//! What the hand-made ranking model must answer, computed here: BERT as its paper has it, with 64-bit numbers.

use super::{HEADS, Matrix, Ranker, WIDTH, token};

impl Ranker {
    /// The relevance of a text given by its words and marks: `[CLS] sea [SEP] moon`.
    pub(crate) fn relevance(&self, text: &str) -> f64 {
        let tokens: Vec<usize> = text.split_whitespace().map(token).collect();
        let embedded = |(place, token): (usize, &usize)| {
            let rows = [self.tokens.row(*token), self.kind.row(0), self.places.row(place)];
            normal(&sum(&rows.map(wide)))
        };
        let states: Vec<Vec<f64>> = tokens.iter().enumerate().map(embedded).collect();
        // Only what becomes of the first token is looked at.
        let attended = sum(&[states[0].clone(), times(&self.attended, &self.attend(&states))]);
        let attended = normal(&attended);
        let inner = sum(&[times(&self.up, &attended), wide(&self.up_bias.numbers)]);
        let inner: Vec<f64> = inner.into_iter().map(gelu).collect();
        let last = normal(&sum(&[attended, times(&self.down, &inner)]));
        let score = times(&self.head, &last)[0] + f64::from(self.head_bias.numbers[0]);
        1.0 / (1.0 + (-score).exp())
    }

    fn attend(&self, states: &[Vec<f64>]) -> Vec<f64> {
        let length = WIDTH / HEADS;
        let query = times(&self.queries, &states[0]);
        let keys: Vec<Vec<f64>> = states.iter().map(|state| times(&self.keys, state)).collect();
        let value = |state: &Vec<f64>| sum(&[times(&self.values, state), wide(&self.value_bias.numbers)]);
        let values: Vec<Vec<f64>> = states.iter().map(value).collect();
        let mut heads = Vec::new();
        for head in 0..HEADS {
            let part = head * length..(head + 1) * length;
            let weight = |key: &Vec<f64>| (dot(&query[part.clone()], &key[part.clone()]) / (8.0_f64).sqrt()).exp();
            let weights: Vec<f64> = keys.iter().map(weight).collect();
            let all: f64 = weights.iter().sum();
            for number in part {
                heads.push(weights.iter().zip(&values).map(|(weight, value)| weight / all * value[number]).sum());
            }
        }
        heads
    }
}

fn wide(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().copied().map(f64::from).collect()
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

fn sum(vectors: &[Vec<f64>]) -> Vec<f64> {
    (0..vectors[0].len()).map(|number| vectors.iter().map(|vector| vector[number]).sum()).collect()
}

fn times(matrix: &Matrix, vector: &[f64]) -> Vec<f64> {
    matrix.numbers.chunks(matrix.columns).map(|row| dot(&wide(row), vector)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a handful of numbers")]
fn normal(vector: &[f64]) -> Vec<f64> {
    let count = vector.len() as f64;
    let mean = vector.iter().sum::<f64>() / count;
    let deviation = (vector.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count).sqrt();
    vector.iter().map(|number| (number - mean) / deviation).collect()
}

/// As BERT's makers approximate it.
fn gelu(number: f64) -> f64 {
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (number + 0.044_715 * number.powi(3));
    0.5 * number * (1.0 + inner.tanh())
}
