using System.Globalization;
using System.Text.RegularExpressions;
using ManagedTransformers.Models;

namespace ManagedTransformers.Playground;

/// <summary>
/// What the page's switches do to a model, as they stand in its link: <c>h1.2</c> a head (layer 1, head 2), <c>m1</c> a layer's MLP, <c>p3</c> a position,
/// <c>s1</c> the stream after a layer; and behind a copy the token whose activation is copied, <c>h1.2@5</c>, or all, <c>h1.2@all</c>.
/// </summary>
internal static partial class Switches
{
    /// <summary>Takes a part away: a head mixes zeros, an MLP puts out zeros, no other token looks at a position.</summary>
    /// <param name="name">Which.</param>
    /// <param name="model">The model.</param>
    /// <param name="tokens">Tokens of the text.</param>
    /// <exception cref="ModelInputException">The model or the text has no such part.</exception>
    public static Intervention Off(string name, IPretrainedModel model, int tokens)
    {
        Part part = Parse(name, model, tokens);
        return part switch
        {
            { Kind: 'h', Token: null } => Intervention.ZeroHead(model.Paths.Attention(part.Number), part.Head),
            { Kind: 'm', Token: null } => new Intervention(model.Paths.Mlp(part.Number), output => output.Span.Clear()),
            { Kind: 'p', Token: null } => new Intervention($"{model.Paths.Attentions}.scores", scores => Hide(scores, part.Number)),
            _ => throw new ModelInputException($"{name} cannot be switched off; heads (h1.2), MLPs (m1) and positions (p3) can."),
        };
    }

    /// <summary>The activation that a copy is of.</summary>
    /// <inheritdoc cref="Off"/>
    public static (string Activation, Part Part) Copy(string name, IPretrainedModel model, int tokens)
    {
        Part part = Parse(name, model, tokens);
        return (part switch
        {
            { Kind: 'h', Token: not null } => $"{model.Paths.Attention(part.Number)}.heads",
            { Kind: 'm', Token: not null } => model.Paths.Mlp(part.Number),
            { Kind: 's', Token: not null } => model.Paths.Layer(part.Number),
            _ => throw new ModelInputException($"{name} cannot be copied; heads (h1.2@5), MLPs (m1@5) and streams (s1@5) can, @all for all tokens."),
        }, part);
    }

    /// <summary>Puts another text's activation in the place of a text's, at one token or at all.</summary>
    /// <param name="activation">Its name.</param>
    /// <param name="part">Which part of it.</param>
    /// <param name="source">The other text's: [1, heads, tokens, head_dim] or [1, tokens, hidden].</param>
    /// <remarks>Only in the pass that reads the text: what is generated after it is no text of the other's.</remarks>
    public static Intervention Put(string activation, Part part, FloatTensor source) => new(activation, target =>
    {
        if (!target.Shape.SequenceEqual(source.Shape))
            return;
        int tokens = target.Shape[^2], first = part.Kind == 'h' ? part.Head * tokens : 0;
        for (int token = 0; token < tokens; token++)
        {
            if (part.Token is -1 || part.Token == token)
                source.Row(first + token).CopyTo(target.Row(first + token));
        }
    });

    /// <summary>−∞ where another token looks at the position, [batch, heads, queries, keys]: the last query is at the last key.</summary>
    private static void Hide(FloatTensor scores, int position)
    {
        (int queries, int keys) = (scores.Shape[2], scores.Shape[3]);
        for (int row = 0; row < scores.Length / keys; row++)
        {
            if (keys - queries + row % queries != position)
                scores.Row(row)[position] = float.NegativeInfinity;
        }
    }

    private static Part Parse(string name, IPretrainedModel model, int tokens)
    {
        Match match = Form().Match(name);
        if (!match.Success)
            throw new ModelInputException($"\"{name}\" names no part. A head is h1.2 (layer 1, head 2), an MLP m1, a position p3, a stream s1.");
        int Number(string group) => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);
        bool copied = match.Groups["token"].Success;
        var part = new Part(name[0], Number("number"), match.Groups["head"].Success ? Number("head") : -1,
            !copied ? null : match.Groups["token"].Value == "all" ? -1 : Number("token"));
        if (part.Kind == 'h' != part.Head >= 0)
            throw new ModelInputException($"\"{name}\" names no part: heads have a number after the layer (h1.2), and only they have.");
        Require(part.Number, part.Kind == 'p' ? tokens : model.Config.Layers, part.Kind == 'p' ? "the text's tokens" : "the model's layers");
        Require(part.Head, model.Config.Heads, "the layer's heads");
        Require(part.Token ?? -1, tokens, "the text's tokens");
        return part;

        void Require(int number, int count, string what)
        {
            if (number >= count)
                throw new ModelInputException($"{name}: {number} is outside 0 … {count - 1}, {what}.");
        }
    }

    [GeneratedRegex(@"\A[hmps](?<number>[0-9]{1,5})(\.(?<head>[0-9]{1,5}))?(@(?<token>all|[0-9]{1,5}))?\z", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Form();

    /// <summary>A part of a model.</summary>
    /// <param name="Kind">h, m, p or s.</param>
    /// <param name="Number">The layer, or the position.</param>
    /// <param name="Head">The head; −1: it is none.</param>
    /// <param name="Token">The token whose activation is copied; −1: all; null: nothing is copied.</param>
    internal sealed record Part(char Kind, int Number, int Head, int? Token);
}
