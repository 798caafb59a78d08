using ManagedTransformers.Diagnostics;

namespace ManagedTransformers.Explain.Tests;

/// <summary>A page that mtx explain wrote, and the explanation that it shows, from the API.</summary>
internal sealed class ExplainedText : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mtx-explain-").FullName;

    public ExplainedText(string model, string text, params string[] options)
    {
        Path = System.IO.Path.Combine(_folder, "page.html");
        MtxRun run = MtxRun.Of(["explain", text, "--out", Path, "--model", model, .. options]);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        using var explainer = ModelExplainer.Load(System.IO.Path.Combine(Folders.Repository, "models", model));
        int generate = Array.IndexOf(options, "--generate") is >= 0 and int at
            ? int.Parse(options[at + 1], System.Globalization.CultureInfo.InvariantCulture) : 0;
        Explanation = explainer.Explain(text, new ExplanationOptions { Generate = generate });
    }

    /// <summary>Where the page lies.</summary>
    public string Path { get; }

    /// <summary>What it shows.</summary>
    public ModelExplanation Explanation { get; }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
