//! The `tarjama` program: hands its arguments and the embedded model to the library.

use std::process::ExitCode;

#[cfg(feature = "embedded")]
fn embedded() -> Option<tarjama::models::EmbeddedFiles> {
    // Cut at a tensor boundary: every tensor lies whole in one part (models/embedded/README.md).
    static WEIGHTS: [&[u8]; 2] = [
        include_bytes!("../models/embedded/tarjama-enar-q5_0.gguf.1"),
        include_bytes!("../models/embedded/tarjama-enar-q5_0.gguf.2"),
    ];
    Some(tarjama::models::EmbeddedFiles {
        id: "tarjama-enar",
        weights: &WEIGHTS,
        tokenizer: include_bytes!("../models/embedded/tokenizer.json"),
        sha256: "5e11c643ef24aad6c578af367ae085f1cd099d33155bfc7f43629e50f2503d8c",
    })
}

#[cfg(not(feature = "embedded"))]
fn embedded() -> Option<tarjama::models::EmbeddedFiles> {
    None
}

fn main() -> ExitCode {
    tarjama::cli::main(std::env::args_os(), embedded())
}
