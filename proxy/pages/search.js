(function () {
  var box = document.currentScript.previousElementSibling;
  var input = box.querySelector("input");
  var said = box.querySelector("[role=status]");
  var fold = function (s) {
    return s.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "");
  };
  var sift = function () {
    var words = fold(input.value).split(/\s+/).filter(Boolean);
    var items = document.querySelectorAll("#apps > li");
    var shown = 0;
    items.forEach(function (item) {
      var text = fold(item.textContent);
      var fits = words.every(function (w) { return text.indexOf(w) >= 0; });
      item.hidden = !fits;
      if (fits) shown++;
    });
    document.getElementById("none").hidden = shown > 0;
    said.textContent = words.length ? shown + " of " + items.length + " apps" : "";
  };
  input.addEventListener("input", sift);
  input.addEventListener("keydown", function (e) {
    if (e.key === "Escape" && input.value) { input.value = ""; sift(); }
  });
  window.addEventListener("pageshow", function () { if (input.value) sift(); });
  box.hidden = false;
})();
