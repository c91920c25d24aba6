//! The search for the route of a path.

use std::collections::BTreeMap;

use matchit::Match;

use super::{
    RouteError,
    methods::Methods,
    path::{self, TextAroundParam},
};

/// The methods of all paths.
///
/// A tree finds most paths. Where text stands around a parameter, as in `/{file}.json`, the tree does not
/// go back to a parameter without, and rejects some paths that exclude no other one. These are therefore
/// tried one by one, and the most specific match is taken.
#[derive(Debug)]
pub(super) struct Matcher {
    tree: matchit::Router<Methods>,
    apart: Vec<Apart>,
}

/// A path with text around a parameter.
#[derive(Debug)]
struct Apart {
    /// The text before the first parameter, which most other paths do not begin with.
    start: String,
    matcher: matchit::Router<Methods>,
}

impl Matcher {
    /// Creates the matcher of these paths, each in its canonical form and as it was given.
    pub(super) fn new(
        paths: Vec<(String, String)>,
        mut by_path: BTreeMap<String, Methods>,
    ) -> Result<Self, RouteError> {
        let (mut tree, mut apart) = (matchit::Router::new(), Vec::new());
        let (mut shapes, given) = (BTreeMap::new(), paths.iter().cloned().collect());
        for (canonical, path) in paths {
            let Some(methods) = by_path.remove(&canonical) else {
                continue;
            };
            let around = TextAroundParam::of(&canonical);
            let mut alone = matchit::Router::new();
            let matcher = if around.is_some() {
                &mut alone
            } else {
                &mut tree
            };
            if let Err(error) = matcher.insert(canonical, methods) {
                return Err(RouteError::of_matcher(path, &error, &given));
            }
            if let Some(name) = path::repeated_param(&path) {
                let problem =
                    format!("the parameter {name} occurs twice in it; rename one of them");
                return Err(RouteError::new(path, problem));
            }
            if let Some(TextAroundParam { start, shape }) = around {
                if let Some(with) = shapes.insert(shape, path.clone()) {
                    return Err(RouteError::conflict(path, &with));
                }
                let matcher = alone;
                apart.push(Apart { start, matcher });
            }
        }
        Ok(Self { tree, apart })
    }

    /// Returns the most specific path that matches `path`, which is in its canonical form.
    pub(super) fn find<'m, 'p>(&'m self, path: &'p str) -> Option<Match<'m, 'p, &'m Methods>> {
        let in_tree = self.tree.at(path).ok();
        let apart = self.apart.iter().filter(|it| path.starts_with(&it.start));
        let found = apart.filter_map(|it| it.matcher.at(path).ok());
        in_tree
            .into_iter()
            .chain(found)
            .max_by(|a, b| a.value.specificity.cmp(&b.value.specificity))
    }
}
