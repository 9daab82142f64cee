// Package inject puts a script tag before the last </body> of an HTML page
// while the page streams through, and alters nothing else.
//
// What is held back is bounded: from the last </body> seen to the end of the
// page, which is some white space as a rule. So a page of any size passes, and
// its beginning is on its way to the browser before its end was made.
//
// A </body> counts where a browser takes it for an end tag. It may just as well
// stand in a comment, in an attribute, in a string of a script or in a template;
// a tag put there would break the page or do nothing, so the reader follows the
// states of HTML's tokenizer (WHATWG HTML, section 13.2.5) as far as that takes.
// Where a page leaves that path, and where there is no </body> at all, it stays
// as it is.
//
// A page can also forbid the script: [Site.Allows] reads its policy, from the
// header or from a meta element in the page.
package inject
