//! Which calls an interceptor is for.

/// Services and methods, by name: `package.Service`, `package.Service/Method`, or the path `/package.Service/Method`.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection(Vec<String>);

impl Selection {
    pub(super) fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        let without_slash = |name: N| {
            let name: String = name.into();
            name.strip_prefix('/').map(str::to_owned).unwrap_or(name)
        };
        Selection(names.into_iter().map(without_slash).collect())
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }

    /// Whether a method is named, or its service is.
    pub(super) fn has(&self, path: &str) -> bool {
        let method = path.strip_prefix('/').unwrap_or(path);
        let service = method.split('/').next().unwrap_or_default();
        self.0.iter().any(|name| name == method || name == service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_service_or_of_a_method() {
        let selection = Selection::new(["a.B", "/c.D/E", "f.G/H"]);
        for (path, has) in [
            ("/a.B/X", true),
            ("/a.BC/X", false),
            ("/c.D/E", true),
            ("/c.D/F", false),
            ("/f.G/H", true),
            ("/f.G", false),
            ("", false),
        ] {
            assert_eq!(selection.has(path), has, "{path}");
        }
    }
}
