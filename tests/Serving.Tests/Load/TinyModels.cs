using System.Text.Json.Nodes;

namespace ManagedTransformers.Serving.Tests;

/// <summary>The demo models with one narrow layer, random weights and a vocabulary of 512: a call takes microseconds, and is a whole call otherwise.</summary>
internal sealed class TinyModels : IDisposable
{
    private const int Vocabulary = 512;

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
        PretrainedConfig config = CheckpointSummary.ReadConfig(demo);
        int left = config.VocabSize - Vocabulary;
        int Moved(int id) => id < Vocabulary ? id : id - left;
        config = narrow(config) with
        {
            InitializerRange = 0.5, VocabSize = Vocabulary, EosTokenId = [.. config.EosTokenId.Select(Moved)],
            BosTokenId = config.BosTokenId is int begin ? Moved(begin) : null,
        };
        using var model = (PretrainedModel)(object)PretrainedModels.FromConfig<T>(config, seed: 3);
        model.Save(this[name]);
        File.Copy(Path.Combine(demo, "tokenizer_config.json"), Path.Combine(this[name], "tokenizer_config.json"));
        File.WriteAllText(Path.Combine(this[name], "tokenizer.json"), Shortened(Path.Combine(demo, "tokenizer.json"), Moved));
    }

    // The special tokens come first or last; of the others the first ones stay, which are the bytes and the first merges.
    private static string Shortened(string file, Func<int, int> moved)
    {
        JsonNode root = JsonNode.Parse(File.ReadAllText(file))!;
        JsonObject vocabulary = root["model"]!["vocab"]!.AsObject();
        JsonObject[] added = [.. root["added_tokens"]!.AsArray().Select(token => token!.AsObject())];
        foreach ((string word, JsonNode? id) in vocabulary.ToArray())
        {
            if ((int)id! >= Vocabulary - added.Length)
                vocabulary.Remove(word);
        }
        foreach (JsonObject token in added)
        {
            token["id"] = moved((int)token["id"]!);
            vocabulary[(string)token["content"]!] = (int)token["id"]!;
        }
        root["model"]!["merges"]!.AsArray().RemoveAll(merge => !vocabulary.ContainsKey(((string)merge!).Replace(" ", "", StringComparison.Ordinal)));
        return root.ToJsonString();
    }
}
