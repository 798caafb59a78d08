namespace ManagedTransformers.Cli;

/// <summary>The data of a page. Weights of attention are bytes (0 … 255 for 0 … 1) in base64, other numbers have six significant digits.</summary>
internal sealed record ExplainResult(
    string Title, string Text, bool Causal, ExplainModel Model, int Focus, ExplainToken[] Tokens, ExplainWord[] Vocabulary, ExplainAttention Attention,
    double[][] ResidualNorms, ExplainLens LogitLens, ExplainPrediction[] Predictions, long KeyValueBytesPerToken, ExplainStep[] Steps,
    ExplainSource[] Sources, string Generator);

/// <summary>The model and its sizes.</summary>
internal sealed record ExplainModel(string Name, string Architecture, int Layers, int Heads, int HiddenSize, int VocabSize);

/// <summary>A token with its place in the text, in Unicode code points; −1: it is not of the text.</summary>
internal sealed record ExplainToken(int Id, string Token, string Text, int Start, int End);

/// <summary>A token that candidates name by its id.</summary>
internal sealed record ExplainWord(int Id, string Token, string Text);

/// <summary>Weights by [layer][head], each a square of [from, to] in C order; "lower": rows end at the diagonal, since what follows has no weight.</summary>
internal sealed record ExplainAttention(string Layout, string[][] Heads);

/// <summary>Candidates by [1 + layer][token], best first.</summary>
internal sealed record ExplainLens(int[][][] Ids, double[][][] Probabilities);

/// <summary>What is predicted at a token.</summary>
internal sealed record ExplainPrediction(int Position, int[] Ids, double[] Probabilities, double[] Logits, ExplainAttribution Attribution);

/// <summary>What pushed the first candidate: "direct" parts of the value, or effects of an "ablation".</summary>
internal sealed record ExplainAttribution(string Method, double Value, ExplainEffects Effects);

/// <summary>Effects in logits: heads by [layer][head], MLPs by layer; null: not measured.</summary>
internal sealed record ExplainEffects(double? Embedding, double? Bias, double[][] Heads, double[] Mlps);

/// <summary>A step of generation; attention by layer, [head, key] in C order.</summary>
internal sealed record ExplainStep(int Read, int Keys, long Bytes, int[] Ids, double[] Probabilities, ExplainToken Chosen, string[] Attention);

/// <summary>The code behind a panel.</summary>
internal sealed record ExplainSource(string Panel, string What, string Path, string Class, string Method, int Line, string Url, string Code);
