// Opened as files, pages may not read each other: the search then lists titles without excerpts.
if (location.protocol === "file:" && typeof DOCUMENTATION_OPTIONS !== "undefined") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// Tables and code that are wider than the page scroll by themselves, and by the keyboard as well.
document.addEventListener("DOMContentLoaded", () => {
  for (const box of document.querySelectorAll(".highlight pre, .table-wrapper, .nb-output, .nb-output [style*=overflow]")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
});
