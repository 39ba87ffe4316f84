package page

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"
)

// chromium is a browser of this machine. CI has one: scripts/require-chromium.sh.
func chromium(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser: -short")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("needs Chromium: make setup installs it")
	}
	t.Skip("needs Chromium: make setup installs it")
	return ""
}

// harness shows the page in a frame, opens all there is to open, and measures it: the page has no script of its own.
const harness = `<!DOCTYPE html><html><head><meta name="color-scheme" content="light dark"></head><body style="margin:0">
<iframe id="f" src="/page" style="border:0;width:WIDTHpx;height:800px;color-scheme:light dark"></iframe><pre id="result"></pre><script>
const rgb = s => (s.match(/[\d.]+/g) || []).map(Number);
const luminance = c => { const [r, g, b] = c.slice(0,
	3).map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 }); return .2126*r + .7152*g + .0722*b };
const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p); return (x + .05) / (y + .05) };
document.getElementById("f").onload = () => {
  const d = document.getElementById("f").contentDocument, w = d.defaultView;
  d.querySelectorAll("details").forEach(e => e.open = true);
  const worst = {}, walker = d.createTreeWalker(d.body, 4);
  for (let n; n = walker.nextNode();) {
    if (!n.data.trim() || !n.parentElement.getClientRects().length) continue;
    let back = n.parentElement;
    while (back && /rgba\(0, 0, 0, 0\)|transparent/.test(w.getComputedStyle(back).backgroundColor)) back = back.parentElement;
    const ratio = contrast(rgb(w.getComputedStyle(n.parentElement).color), back ? rgb(w.getComputedStyle(back).backgroundColor) : [255, 255, 255]);
    const kind = n.parentElement.tagName + "." + n.parentElement.className;
    worst[kind] = Math.min(worst[kind] || 99, Math.round(ratio * 100) / 100);
  }
  const small = [...d.querySelectorAll("summary")].filter(e => e.getBoundingClientRect().height < 24).length;
  document.getElementById("result").textContent = JSON.stringify({ worst, small, width: d.documentElement.clientWidth,
	scroll: d.documentElement.scrollWidth,
    back: w.getComputedStyle(d.body).backgroundColor, details: d.querySelectorAll("details").length,
    dead: [...d.querySelectorAll("a")].filter(a => !d.getElementById(a.getAttribute("href").slice(1))).length });
};
</script></body></html>`

type measured struct {
	Worst                map[string]float64
	Width, Scroll        int
	Back                 string
	Details, Dead, Small int
}

// site serves a page and its harness, and remembers what else was asked for.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func serve(t *testing.T, p Page, width int) *site {
	t.Helper()
	var text bytes.Buffer
	if err := Write(&text, p); err != nil {
		t.Fatal(err)
	}
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/page":
			w.Write(text.Bytes())
		case "/":
			fmt.Fprint(w, regexp.MustCompile("WIDTH").ReplaceAllString(harness, fmt.Sprint(width)))
		default:
			s.mu.Lock()
			s.asked = append(s.asked, r.URL.Path)
			s.mu.Unlock()
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// browse runs the browser to its end.
func browse(t *testing.T, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	program := chromium(t)
	args = append([]string{"--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
		"--user-data-dir=" + t.TempDir(), "--virtual-time-budget=5000"}, args...)
	command := exec.CommandContext(ctx, program, args...)
	command.WaitDelay = 10 * time.Second
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v", command.Args, err)
	}
	return output
}

// TestPageInABrowser: on a phone and on a desk, by day and by night, with 3 and 500 streams, nothing is cut off, every text can be read (a contrast
// of 4.5 to 1, WCAG 2 AA), every link leads somewhere, and nothing is asked of a network.
func TestPageInABrowser(t *testing.T) {
	chromium(t)
	for _, streams := range []int{3, 500} {
		for name, screen := range map[string]struct {
			width int
			dark  bool
		}{"phone": {360, false}, "phone, dark": {360, true}, "desk": {1200, false}, "desk, dark": {1200, true}} {
			if streams == 500 && screen.width == 1200 {
				continue // the same as with 3
			}
			t.Run(fmt.Sprintf("%s, %d streams", name, streams), func(t *testing.T) {
				s := serve(t, sample(streams), screen.width)
				scheme := "--blink-settings=preferredColorScheme=1"
				if screen.dark {
					scheme = "--blink-settings=preferredColorScheme=0"
				}
				dom := browse(t, scheme, "--window-size=1300,900", "--dump-dom", s.URL+"/")
				found := regexp.MustCompile(`(?s)<pre id="result">(.*?)</pre>`).FindSubmatch(dom)
				var got measured
				if len(found) != 2 || json.Unmarshal([]byte(html.UnescapeString(string(found[1]))), &got) != nil || got.Details < streams {
					t.Fatalf("the page was not measured: %.300s", dom)
				}
				if got.Scroll > got.Width || got.Width != screen.width {
					t.Errorf("it is %d wide, and the screen %d", got.Scroll, got.Width)
				}
				if dark := got.Back == "rgb(18, 21, 27)"; dark != screen.dark {
					t.Errorf("its background is %s", got.Back)
				}
				for kind, ratio := range got.Worst {
					if ratio < 4.5 {
						t.Errorf("text in %s has a contrast of %.2f", kind, ratio)
					}
				}
				if got.Dead > 0 || got.Small > 0 {
					t.Errorf("%d links lead nowhere, %d summaries are too small for a finger", got.Dead, got.Small)
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				if asked := slices.DeleteFunc(s.asked, func(path string) bool { return path == "/favicon.ico" }); len(asked) > 0 {
					t.Errorf("it asked for %v", asked)
				}
			})
		}
	}
}

// The page opens from a file, without a server, and shows something.
func TestPageOpensFromAFile(t *testing.T) {
	chromium(t)
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "page.html"))
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(file, sample(500)); err != nil {
		t.Fatal(err)
	}
	if info, err := file.Stat(); err != nil || info.Size() > 12<<20 {
		t.Errorf("%v, %v", info, err)
	}
	file.Close()
	shot := filepath.Join(dir, "page.png")
	browse(t, "--window-size=500,900", "--screenshot="+shot, "file://"+file.Name())
	picture, err := os.Open(shot)
	if err != nil {
		t.Fatal(err)
	}
	defer picture.Close()
	image, err := png.Decode(picture)
	if err != nil {
		t.Fatal(err)
	}
	colours := map[[3]uint32]bool{}
	for y := range image.Bounds().Dy() {
		r, g, b, _ := image.At(image.Bounds().Dx()/2, y).RGBA()
		colours[[3]uint32{r, g, b}] = true
	}
	if len(colours) < 4 {
		t.Errorf("the picture has %d colours in its middle: is it empty?", len(colours))
	}
}
