//! Sets the linker up for a Node-API module.

fn main() {
    napi_build::setup();
}
