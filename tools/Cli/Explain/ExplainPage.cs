using System.Net;
using System.Text;
using System.Text.Json;

namespace ManagedTransformers.Cli;

/// <summary>The page: Explain/Page's HTML, style and scripts with the data in one file, which loads nothing.</summary>
internal static class ExplainPage
{
    /// <summary>In the order in which they use each other.</summary>
    private static readonly string[] Scripts =
        ["core.js", "paint.js", "bars.js", "tokens.js", "attention.js", "residual.js", "lens.js", "prediction.js", "generation.js", "frame.js", "main.js"];

    /// <summary>The page of some data.</summary>
    public static string Html(ExplainResult data)
    {
        string template = EmbeddedFiles.Read("page/page.html");
        var page = new StringBuilder(1 << 20);
        // Each mark is replaced once, in what is left of the template: text of the user that looks like a mark stays what it is.
        foreach ((string mark, string content) in Parts(data))
        {
            int at = template.IndexOf(mark, StringComparison.Ordinal);
            page.Append(template, 0, at).Append(content);
            template = template[(at + mark.Length)..];
        }
        return page.Append(template).ToString();
    }

    private static (string Mark, string Content)[] Parts(ExplainResult data)
    {
        string title = WebUtility.HtmlEncode(data.Title);
        return
        [
            ("{{title}}", title),
            ("{{style}}", EmbeddedFiles.Read("page/page.css")),
            ("{{title}}", title),
            ("{{data}}", Json(data)),
            ("{{scripts}}", string.Join('\n', Scripts.Select(script => $"<script>\n{EmbeddedFiles.Read($"page/{script}")}</script>"))),
        ];
    }

    /// <summary>Without '&lt;', so that no text of the data ends the element that holds it.</summary>
    private static string Json(ExplainResult data) =>
        JsonSerializer.Serialize(data, CliJsonContext.Relaxed.ExplainResult).Replace("<", @"\u003C", StringComparison.Ordinal);
}
