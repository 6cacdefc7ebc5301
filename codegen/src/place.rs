//! Where in its source a thing was declared, from the source info of its descriptor.

use prost_types::FileDescriptorProto;

/// Line and column, from 1, of the declaration at `path` (the path of `SourceCodeInfo.Location`).
pub(crate) fn position(file: &FileDescriptorProto, path: &[i32]) -> Option<(u32, u32)> {
    let info = file.source_code_info.as_ref()?;
    let location = info.location.iter().find(|location| location.path == path)?;
    let line = u32::try_from(*location.span.first()?).ok()?;
    let column = u32::try_from(*location.span.get(1)?).ok()?;
    Some((line.checked_add(1)?, column.checked_add(1)?))
}
