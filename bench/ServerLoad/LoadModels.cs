using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>The demo models, and a reranker with random weights, whose scores differ.</summary>
internal sealed class LoadModels : IDisposable
{
    public const string Reranker = "demo-rerank";
    private static readonly string[] s_demo = ["demo-embed", "demo-codegen", "demo-fill-mask", "demo-language-id", "demo-tag"];
    private readonly string _demo, _made = Directory.CreateTempSubdirectory("server-load-").FullName;

    /// <param name="demo">Where the demo models are.</param>
    public LoadModels(string demo)
    {
        _demo = demo;
        using var masks = FillMaskPipeline.Load(this["demo-fill-mask"]);
        PretrainedConfig config = masks.Model.Config with { Id2Label = new Dictionary<string, string> { ["0"] = "LABEL_0" }, InitializerRange = 0.2 };
        using var model = (PretrainedModel)PretrainedModels.FromConfig<ISequenceClassifier>(config, seed: 3);
        model.Save(this[Reranker]);
        foreach (string file in new[] { "tokenizer.json", "tokenizer_config.json" })
            File.Copy(Path.Combine(this["demo-fill-mask"], file), Path.Combine(this[Reranker], file));
    }

    /// <summary>Those of the clone that this program was built in.</summary>
    public static LoadModels OfRepository()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Runtime.sln")))
            directory = directory.Parent;
        return directory is not null ? new LoadModels(Path.Combine(directory.FullName, "models"))
            : throw new DirectoryNotFoundException("server-load and soak run in a clone of the repository, whose demo models they use.");
    }

    /// <summary>The directory of a model.</summary>
    public string this[string name] => Path.Combine(name == Reranker ? _made : _demo, name);

    public IReadOnlyList<string> Directories => [.. s_demo.Append(Reranker).Select(name => this[name])];

    public void Dispose() => Directory.Delete(_made, recursive: true);
}
