//! Lets the linker leave the symbols of Node.js undefined, on platforms that need an option for it.

fn main() {
    napi_build::setup();
}
