namespace ManagedTransformers.Serving.Tests;

/// <summary>The demo models with one narrow layer and random weights: a call takes microseconds, and is a whole call otherwise.</summary>
internal sealed class TinyModels : IDisposable
{
    private readonly string _made = Directory.CreateTempSubdirectory("tiny-").FullName;

    public TinyModels()
    {
        Make<ICausalLM>("demo-codegen", config => (CodeGenConfig)config with { NEmbd = 16, NLayer = 1, NHead = 4, RotaryDim = 4 });
        Make<IBaseModel>("demo-embed", Narrow);
        Make<IMaskedLM>("demo-fill-mask", Narrow);
        Make<ISequenceClassifier>("demo-language-id", Narrow);
        Make<ITokenClassifier>("demo-tag", Narrow);
    }

    /// <summary>The directory of a model.</summary>
    public string this[string name] => Path.Combine(_made, name);

    public void Dispose() => Directory.Delete(_made, recursive: true);

    private static BertConfig Narrow(PretrainedConfig config) =>
        (BertConfig)config with { HiddenSize = 16, NumHiddenLayers = 1, NumAttentionHeads = 2, IntermediateSize = 32 };

    private void Make<T>(string name, Func<PretrainedConfig, PretrainedConfig> narrow) where T : class, IPretrainedModel
    {
        string demo = Path.Combine(RepositoryRoot.Path, "models", name);
        PretrainedConfig config = narrow(CheckpointSummary.ReadConfig(demo));
        config = config with { InitializerRange = 0.5 };
        using var model = (PretrainedModel)(object)PretrainedModels.FromConfig<T>(config, seed: 3);
        model.Save(this[name]);
        foreach (string file in Directory.GetFiles(demo, "*token*.json").Concat(Directory.GetFiles(demo, "generation_config.json")))
            File.Copy(file, Path.Combine(this[name], Path.GetFileName(file)));
    }
}
