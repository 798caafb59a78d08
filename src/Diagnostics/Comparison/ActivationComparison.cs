namespace ManagedTransformers.Diagnostics;

/// <summary>How far the activations of one run are from those of another on the same inputs, in execution order: what differs first is where to look.</summary>
/// <param name="Tensors">One row for each activation that both have.</param>
/// <param name="OnlyInOurs">Activations that only the first run has.</param>
/// <param name="OnlyInTheirs">Activations that only the second run has.</param>
public sealed record ActivationComparison(IReadOnlyList<TensorError> Tensors, IReadOnlyList<string> OnlyInOurs, IReadOnlyList<string> OnlyInTheirs)
{
    private IReadOnlyList<IReadOnlyList<string>>? Tokens { get; init; }
    private int? Heads { get; init; }

    /// <summary>Whether all activations that both have are within the tolerance.</summary>
    public bool Same => First is null;

    /// <summary>The first activation that differs; null where none does.</summary>
    public TensorError? First => Tensors.FirstOrDefault(tensor => !tensor.Passed);

    /// <summary>Compares every activation that both runs have, at real tokens.</summary>
    /// <param name="ours">What is examined; its order is the order of the rows.</param>
    /// <param name="theirs">The reference.</param>
    /// <param name="tolerance">The largest error, relative to the tensor's largest magnitude, that passes.</param>
    /// <exception cref="CheckpointException">They have no activation in common.</exception>
    /// <exception cref="ModelInputException">They are of different token ids.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The tolerance is negative or not finite.</exception>
    public static ActivationComparison Compare(ActivationSet ours, ActivationSet theirs, double tolerance = TensorComparison.DefaultTolerance)
    {
        ArgumentNullException.ThrowIfNull(ours);
        ArgumentNullException.ThrowIfNull(theirs);
        string[] common = [.. ours.Names.Intersect(theirs.Names)];
        if (common.Length == 0)
            throw new CheckpointException($"{ours.Source} and {theirs.Source} have no activation in common: " +
                $"the first holds {Shown(ours.Names)}, the second {Shown(theirs.Names)}. Write both under the module paths that docs/tracing.md lists.");
        RequireSameInputs(ours, theirs);
        var rows = new List<TensorError>();
        int? heads = null;
        foreach (string name in common)
        {
            FloatTensor expected = theirs[name];
            heads ??= expected.Rank == 4 ? expected.Shape[1] : null;
            Func<int, bool>? counts = theirs.RealTokens(expected) ?? ours.RealTokens(expected);
            rows.Add(TensorComparison.Compare(ours[name], expected, theirs.IsWhole(name) ? 0 : tolerance, counts));
        }
        return new ActivationComparison(rows, [.. ours.Names.Except(common)], [.. theirs.Names.Except(common)])
        {
            Tokens = theirs.Tokens ?? ours.Tokens, Heads = heads,
        };
    }

    /// <summary>What an element of an activation is.</summary>
    /// <param name="name">The activation's name.</param>
    /// <param name="index">A number per axis.</param>
    /// <param name="width">The size of the last axis.</param>
    public ActivationPlace Locate(string name, IReadOnlyList<int> index, int width)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(index);
        int? layer = ActivationOrder.LayerOf(name), row = index.Count > 1 ? index[0] : null;
        int? token = index.Count switch { 3 => index[1], 4 => index[2], _ => null };
        int last = index.Count > 0 ? index[^1] : 0;
        bool keys = index.Count == 4 && (name.EndsWith(".scores", StringComparison.Ordinal) || name.EndsWith(".probabilities", StringComparison.Ordinal));
        // An encoder's queries, keys, values and head outputs are concatenated over the heads.
        bool sideBySide = index.Count == 3 && Heads is int heads && width % heads == 0
            && (name.EndsWith(".attention.self", StringComparison.Ordinal) || name.Contains(".attention.self.", StringComparison.Ordinal));
        int? head = index.Count == 4 ? index[1] : sideBySide ? last / (width / Heads!.Value) : null;
        return new ActivationPlace(layer, row, token, Text(row, token), head, keys ? last : null, keys ? Text(row, last) : null, keys ? null : last);
    }

    private string? Text(int? row, int? token) =>
        row is int r && token is int t && Tokens is not null && r < Tokens.Count && t < Tokens[r].Count ? Tokens[r][t] : null;

    private static string Shown(IReadOnlyList<string> names) => names.Count == 0 ? "nothing" : string.Join(", ", names.Take(3)) + (names.Count > 3 ? " …" : "");

    private static void RequireSameInputs(ActivationSet ours, ActivationSet theirs)
    {
        if (ours.InputIds is not { } a || theirs.InputIds is not { } b)
            return;
        if (a.Count != b.Count || a[0].Count != b[0].Count)
            throw Different($"[{a.Count}, {a[0].Count}] and [{b.Count}, {b[0].Count}] ids");
        for (int row = 0; row < a.Count; row++)
        {
            for (int token = 0; token < a[row].Count; token++)
            {
                // What fills a row behind its text may be any id.
                bool padding = theirs.AttentionMask?[row][token] == 0 && ours.AttentionMask?[row][token] == 0;
                if (a[row][token] != b[row][token] && !padding)
                    throw Different($"the id of token {token} of row {row} is {a[row][token]} and {b[row][token]}");
                if ((ours.AttentionMask?[row][token] ?? 1) != (theirs.AttentionMask?[row][token] ?? 1))
                    throw Different($"the mask of token {token} of row {row} is {ours.AttentionMask?[row][token] ?? 1} and " +
                        $"{theirs.AttentionMask?[row][token] ?? 1}");
            }
        }

        ModelInputException Different(string what) => new($"{ours.Source} and {theirs.Source} are of different inputs: {what}. " +
            "Run both on the same ids: give the model's directory in place of the first file, or its ids to mtx trace --ids.");
    }
}

/// <summary>What an element of an activation is; null where it has no such part.</summary>
/// <param name="Layer">The layer, by the activation's name.</param>
/// <param name="Row">The row of the batch.</param>
/// <param name="Token">The token's place in its row.</param>
/// <param name="TokenText">The token's text.</param>
/// <param name="Head">The attention head.</param>
/// <param name="Key">Scores and probabilities: the token that is attended to.</param>
/// <param name="KeyText">Its text.</param>
/// <param name="Element">The place on the last axis.</param>
public sealed record ActivationPlace(int? Layer, int? Row, int? Token, string? TokenText, int? Head, int? Key, string? KeyText, int? Element);
