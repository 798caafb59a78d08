namespace ManagedTransformers.Models.Tests;

/// <summary>What a model refuses, and what it says.</summary>
public sealed class ModelInputTests
{
    private static readonly BertConfig Bert =
        new() { VocabSize = 30, HiddenSize = 8, NumHiddenLayers = 1, NumAttentionHeads = 2, IntermediateSize = 16, MaxPositionEmbeddings = 6 };
    private static readonly RobertaConfig Roberta =
        new() { VocabSize = 30, HiddenSize = 8, NumHiddenLayers = 1, NumAttentionHeads = 2, IntermediateSize = 16, MaxPositionEmbeddings = 8 };

    private static IEnumerable<TestCaseData> BadInputs()
    {
        yield return Case(new ModelInputs(1, 2) { InputIds = [3, 30] }, "input_ids[0, 1] is 30; the model's vocab_size is 30");
        yield return Case(new ModelInputs(1, 2) { InputIds = [-1, 3] }, "input_ids[0, 0] is -1");
        yield return Case(new ModelInputs(1, 7) { InputIds = [1, 2, 3, 4, 5, 6, 7] }, "7 tokens; the model reads at most 6");
        yield return Case(new ModelInputs(1, 2), "Exactly one of input_ids and inputs_embeds");
        yield return Case(new ModelInputs(1, 2) { InputIds = [1, 2], InputsEmbeds = new FloatTensor("inputs_embeds", 1, 2, 8) }, "Exactly one");
        yield return Case(new ModelInputs(1, 2) { InputsEmbeds = new FloatTensor("inputs_embeds", 1, 2, 9) }, "[1, 2, 9]; the model needs [1, 2, 8]");
        yield return Case(new ModelInputs(1, 2) { InputIds = [1, 2, 3] }, "input_ids has 3 numbers");
        yield return Case(new ModelInputs(2, 2) { InputIds = [1, 2, 3, 4], AttentionMask = [1, 1, 0, 0] }, "Row 1 of attention_mask is all zeros");
        yield return Case(new ModelInputs(1, 2) { InputIds = [1, 2], AttentionMask = [1, 2] }, "attention_mask[0, 1] is 2");
        yield return Case(new ModelInputs(1, 2) { InputIds = [1, 2], AttentionMask = [1, 1, 1] }, "attention_mask has 3 numbers");
        yield return Case(new ModelInputs(1, 2) { InputIds = [1, 2], TokenTypeIds = [0, 2] }, "token_type_ids[0, 1] is 2; the model's type_vocab_size is 2");
        yield return Case(new ModelInputs(1, 2) { InputIds = [1, 2], PositionIds = [0, 6] }, "position_ids[0, 1] is 6");
        yield return Case(new ModelInputs(1, 2) { InputIds = [1, 2], HeadMask = new FloatTensor("head_mask", 3) },
            "head_mask is [3]; the model needs [2] or [1, 2]");
        yield return Case(new ModelInputs(1, 2) { InputIds = [1, 2], Labels = [1, 30] }, "labels[1] is 30");
        yield return Case(new ModelInputs(1, 2) { InputIds = [1, 2], Labels = [1] }, "labels has 1 numbers; logits needs 2");
    }

    private static TestCaseData Case(ModelInputs inputs, string says) => new TestCaseData(inputs, says).SetArgDisplayNames(says);

    [TestCaseSource(nameof(BadInputs))]
    public void Inputs_that_do_not_fit_are_refused_with_numbers(ModelInputs inputs, string says)
    {
        using var model = PretrainedModels.FromConfig<BertForMaskedLM>(Bert);
        using Session session = model.CreateSession();
        Assert.That(() => model.Forward(inputs, session), Throws.TypeOf<ModelInputException>().With.Message.Contains(says));
        Assert.That(() => model.Forward(ModelInputs.Of(1, 2), session), Throws.Nothing, "the session stays usable");
    }

    [Test]
    public void RoBERTa_says_how_many_tokens_fit_and_why()
    {
        using var model = PretrainedModels.FromConfig<RobertaModel>(Roberta);
        using Session session = model.CreateSession();
        Assert.That(() => model.Forward(ModelInputs.Of(5, 5, 5, 5, 5, 5), session), Throws.Nothing);
        Assert.That(() => model.Forward(ModelInputs.Of(5, 5, 5, 5, 5, 5, 5), session),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("7 tokens")
                .And.Message.Contains("at most 6 (max_position_embeddings 8, padding_idx 1)"));
    }

    [Test]
    public void RoBERTa_reads_a_batch_as_wide_as_its_position_table_where_the_rest_is_padding()
    {
        using var model = PretrainedModels.FromConfig<RobertaModel>(Roberta, seed: 3);
        using Session session = model.CreateSession();
        float[] expected = model.Forward(ModelInputs.Of(5, 6, 7, 8, 9, 10), session).LastHiddenState.ToArray();
        var padded = new ModelInputs(1, 8) { InputIds = [1, 5, 6, 7, 8, 9, 10, 1], AttentionMask = [0, 1, 1, 1, 1, 1, 1, 0] };
        Assert.That(model.Forward(padded, session).LastHiddenState.ToArray()[8..^8], Is.EqualTo(expected).Within(1e-6));
        Assert.That(() => model.Forward(new ModelInputs(1, 9) { InputIds = [1, 5, 6, 7, 8, 9, 10, 1, 1] }, session),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("9 tokens"));
        var numbered = new ModelInputs(1, 8) { InputIds = [3, 5, 6, 7, 8, 9, 10, 3], PositionIds = [0, 1, 2, 3, 4, 5, 6, 7] };
        Assert.That(() => model.Forward(numbered, session), Throws.Nothing);
    }

    [Test]
    public void An_empty_text_is_refused()
    {
        Assert.That(() => ModelInputs.Of(), Throws.TypeOf<ModelInputException>());
        Assert.That(() => ModelInputs.OfBatch([[1], []]), Throws.TypeOf<ModelInputException>().With.Message.Contains("Row 1"));
    }

    [Test]
    public void A_decoder_refuses_more_than_n_positions_and_more_than_the_session_holds()
    {
        using var model = PretrainedModels.FromConfig<CodeGenForCausalLM>(
            new CodeGenConfig { VocabSize = 20, NEmbd = 16, NLayer = 1, NHead = 4, RotaryDim = 4, NPositions = 8 });
        using Session session = model.CreateSession(new SessionOptions { MaxLength = 4 });
        Assert.That(() => model.Forward([1, 2, 3, 4, 5, 6, 7, 8, 9], session),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("at most 8 (n_positions)"));
        Assert.That(() => model.Forward([1, 2, 3, 4, 5], session), Throws.TypeOf<ModelInputException>().With.Message.Contains("at most 4"));
        model.Forward([1, 2, 3, 4], session);
        Assert.That(() => model.Step([5], [0], session), Throws.TypeOf<ModelInputException>().With.Message.Contains("at most 4"));
        Assert.That(() => model.Step([20], [0], session), Throws.TypeOf<ModelInputException>().With.Message.Contains("vocab_size is 20"));
        Assert.That(() => model.Step([1], [1], session), Throws.TypeOf<ModelInputException>().With.Message.Contains("BatchSize"));
        Assert.That(() => model.CreateSession(new SessionOptions { MaxLength = 9 }), Throws.TypeOf<ModelInputException>().With.Message.Contains("n_positions"));
    }

    [Test]
    public void Logits_of_a_padded_place_are_refused_unless_padding_is_computed()
    {
        using var model = PretrainedModels.FromConfig<BertForMaskedLM>(Bert);
        using Session session = model.CreateSession();
        ModelInputs inputs = ModelInputs.OfBatch([[1, 2, 3], [4]]);
        var padded = new ForwardOptions { LogitsAt = [(1, 2)] };
        Assert.That(() => model.Forward(inputs, session, padded), Throws.TypeOf<ModelInputException>().With.Message.Contains("row 1, column 2"));
        Assert.That(model.Forward(inputs, session, padded with { ComputePadding = true }).Logits.Shape.ToArray(), Is.EqualTo(new[] { 1, 30 }));
    }

    [Test]
    public void Left_out_padding_changes_no_other_place()
    {
        using var model = PretrainedModels.FromConfig<BertForPreTraining>(Bert);
        using Session session = model.CreateSession();
        ModelInputs inputs = ModelInputs.OfBatch([[1, 2, 3, 4], [5, 6]]);
        PreTrainingOutput packed = model.Forward(inputs, session);
        PreTrainingOutput whole = model.Forward(inputs, session, new ForwardOptions { ComputePadding = true });
        foreach (int place in (int[])[0, 1, 2, 3, 4, 5])
            Assert.That(packed.Logits.Row(place).ToArray(), Is.EqualTo(whole.Logits.Row(place).ToArray()).Within(1e-6));
        Assert.That(packed.Logits.Row(6).ToArray(), Is.All.Zero);
        Assert.That(packed.SeqRelationshipLogits.ToArray(), Is.EqualTo(whole.SeqRelationshipLogits.ToArray()).Within(1e-6));
    }

    [Test]
    public void Rows_without_padding_give_what_a_padded_batch_gives()
    {
        using var model = PretrainedModels.FromConfig<RobertaForMaskedLM>(new RobertaConfig
        {
            VocabSize = 30, HiddenSize = 16, NumHiddenLayers = 2, NumAttentionHeads = 2, IntermediateSize = 32, MaxPositionEmbeddings = 20, TypeVocabSize = 2,
        });
        using Session session = model.CreateSession();
        int[][] rows = [[0, 5, 1, 7, 2], [0, 9, 2]], types = [[0, 0, 1, 1, 1], [0, 1, 1]];        // 1 is the padding token: it takes no position
        var padded = new ModelInputs(2, 5)
        {
            InputIds = [.. rows[0], .. rows[1], 1, 1],
            TokenTypeIds = [.. types[0], .. types[1], 0, 0],
            AttentionMask = [1, 1, 1, 1, 1, 1, 1, 1, 0, 0],
        };
        float[] expected = model.Forward(padded, session).Logits.ToArray();
        Assert.That(model.Forward(ModelInputs.OfRows(rows, types), session).Logits.ToArray(), Is.EqualTo(expected));
        Assert.That(() => ModelInputs.OfRows(rows, [[0], [0]]), Throws.TypeOf<ModelInputException>().With.Message.Contains("token_type_ids"));
        Assert.That(() => ModelInputs.OfRows([[3], []]), Throws.TypeOf<ModelInputException>().With.Message.Contains("Row 1"));
    }

    [Test]
    public void More_tokens_than_an_array_holds_are_refused() =>
        Assert.That(() => new ModelInputs(65536, 65536), Throws.TypeOf<ModelInputException>().With.Message.Contains("[65536, 65536]"));

    [Test]
    public void Real_valued_labels_are_refused_where_the_loss_counts_classes()
    {
        using var model = PretrainedModels.FromConfig<BertForMaskedLM>(Bert);
        using Session session = model.CreateSession();
        Assert.That(() => model.Forward(new ModelInputs(1, 2) { InputIds = [1, 2], LabelValues = [1, 2] }, session),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("labels are real-valued"));
    }

    [TestCase(1, 2)]
    [TestCase(2, 1)]
    [TestCase(2, 3)]
    public void A_session_of_another_batch_size_is_refused(int sequences, int rows)
    {
        using var model = PretrainedModels.FromConfig<CodeGenForCausalLM>(
            new CodeGenConfig { VocabSize = 20, NEmbd = 16, NLayer = 1, NHead = 4, RotaryDim = 4, NPositions = 8 });
        using Session session = model.CreateSession(new SessionOptions { BatchSize = sequences });
        Assert.That(() => model.Forward(new ModelInputs(rows, 1) { InputIds = new int[rows] }, session),
            Throws.TypeOf<ModelInputException>().With.Message.Contains($"{rows} rows; the session holds {sequences}"));
    }

    [Test]
    public void A_cache_for_more_sequences_than_there_can_be_is_refused()
    {
        using var model = PretrainedModels.FromConfig<CodeGenForCausalLM>(
            new CodeGenConfig { VocabSize = 20, NEmbd = 16, NLayer = 1, NHead = 4, RotaryDim = 4, NPositions = 8 });
        Assert.That(() => model.CreateSession(new SessionOptions { BatchSize = int.MaxValue }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("BatchSize"));
        using Session session = model.CreateSession();
        Assert.That(() => session.Cache!.Length(1), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Random_weights_larger_than_an_array_are_refused() => Assert.That(
        () => PretrainedModels.FromConfig<CodeGenForCausalLM>(new CodeGenConfig { VocabSize = 1 << 24 }),
        Throws.TypeOf<ConfigException>().With.Message.Contains("[16777216, 4096]"));
}
